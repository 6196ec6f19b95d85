import numpy as np
import pytest

from lstm_jax.interop.arrays import reorder, sum_biases


def test_reorder():
    array = np.arange(16).reshape(2, 8)
    there = reorder(array, "ifgo", "iofg")
    np.testing.assert_array_equal(there[0], [0, 1, 6, 7, 2, 3, 4, 5])
    np.testing.assert_array_equal(reorder(there, "iofg", "ifgo"), array)
    with pytest.raises(ValueError, match="'ifgo' and new_order 'ifgx' must have the same letters"):
        reorder(array, "ifgo", "ifgx")
    with pytest.raises(ValueError, match="8 columns are not 3 gates of equal width"):
        reorder(array, "rzn", "zrn")


def test_a_bias_of_zeros_changes_no_bit():
    bias = np.array([-0.0, 0.0, 1.5, np.nan], np.float32)
    assert sum_biases(bias, np.zeros_like(bias)).tobytes() == bias.tobytes()
    assert sum_biases(bias, np.full_like(bias, 2)).tobytes() == (bias + 2).tobytes()
