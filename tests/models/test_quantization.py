"""8-bit matrices: rounding by hand, files, and errors."""

import hashlib
import json
import math

import jax
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from lstm_jax.models import storage
from lstm_jax.models.quantization import SMALLEST, dequantize, packed, quantize, unpacked
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.storage import DESCRIPTION, WEIGHTS, ModelError

WIDE = SequenceModelConfig(hidden_features=33, num_layers=1)  # a kernel of 33 x 132


def rounded_up(scale):
    """Return the smallest number of 4 bits that is not below a scale."""
    step = 2.0 ** (math.floor(math.log2(scale)) - 3) if scale else 1.0
    return math.ceil(scale / step) * step


def test_integers_and_scales_are_those_of_a_loop():
    # Columns of very different sizes: one scale per column is better.
    sizes = np.array([1e-3, 1.0, 1.0, 1.0, 1.0, 30.0, 0.0])
    matrix = np.random.default_rng(0).uniform(-1, 1, (5, 7)) * sizes
    integers, scales = quantize(matrix)
    assert (integers.dtype, scales.dtype) == (np.int8, np.float16)
    assert scales.shape == (1, 7)
    for column in range(7):
        largest = max(abs(np.float32(x)) for x in matrix[:, column])
        first = rounded_up(largest / 127)
        scale = rounded_up(round(largest / first) * first / 127) if first else 0.0
        assert scales[0, column] == scale
        for row in range(5):
            ratio = matrix[row, column] / float(scale) if scale else 0.0
            assert integers[row, column] == max(-127, min(127, round(ratio)))
    found, half = dequantize(integers, scales), scales.astype(np.float32) / 2
    # Half a step of the first scale, which is at most 9/8 of the second.
    assert (np.abs(found - matrix) <= 1.125 * half).all()
    by_rows, row_scales = quantize(matrix.T)
    np.testing.assert_array_equal(by_rows, integers.T)
    assert row_scales.shape == (7, 1)


@pytest.mark.parametrize("size", [1e-5, 1e-2, 1.0, 300.0])
def test_a_restored_matrix_is_exact_in_float16(size):
    matrix = size * np.random.default_rng(2).normal(size=(80, 90)).astype(np.float32)
    found = dequantize(*quantize(matrix))
    np.testing.assert_array_equal(found.astype(np.float16).astype(np.float32), found)


@pytest.mark.parametrize("size", [1e-9, 1e-6, 6e4])
def test_sizes_at_the_limits_of_float16_are_restored_closely(size):
    matrix = (size * np.linspace(-1, 1, 12).reshape(3, 4)).astype(np.float32)
    found = dequantize(*quantize(matrix))
    assert np.isfinite(found).all()
    assert np.abs(found - matrix).max() <= max(0.005 * size, 4e-6)


def test_only_large_matrices_are_packed_and_unpacking_gives_float32():
    rng = np.random.default_rng(1)
    arrays = {
        "kernel": rng.normal(size=(2, SMALLEST // 2)),
        "small": rng.normal(size=(2, SMALLEST // 2 - 1)),
        "vector": rng.normal(size=2 * SMALLEST),
        "stacked": rng.normal(size=(3, 40, 50)),
    }
    held = packed(arrays)
    kinds = {name: str(array.dtype) for name, array in held.items()}
    assert kinds == {
        "kernel": "int8", "kernel.scale": "float16", "small": "float16", "vector": "float16",
        "stacked": "int8", "stacked.scale": "float16",
    }  # fmt: skip
    found = unpacked(held)
    assert list(found) == ["kernel", "small", "vector", "stacked"]
    assert found["kernel"].dtype == np.float32
    for name, array in found.items():
        np.testing.assert_allclose(array, arrays[name], atol=0.016 if array.ndim > 1 else 2e-3)


def saved(folder):
    network = SequenceModel(2, 5, WIDE, rngs=nnx.Rngs(0))
    own = {"in_features": 2, "out_features": 5}
    storage.save(folder, network, {"data": "made up"}, own, dtype=np.int8)
    return storage.arrays_of(network)


def test_a_model_is_restored_from_its_packed_weights(tmp_path):
    arrays = saved(tmp_path)
    held = safetensors.numpy.load_file(tmp_path / WEIGHTS)

    assert [name for name, array in held.items() if array.dtype == np.int8] == [KERNEL]
    found = storage.arrays_of(storage.load(tmp_path).network)
    assert jax.tree.structure(found) == jax.tree.structure(arrays)
    for name, array in found.items():
        assert array.dtype == np.float32
        if name == KERNEL:
            expected = dequantize(*quantize(np.asarray(arrays[name])))
        else:
            expected = np.asarray(arrays[name]).astype(np.float16)
        np.testing.assert_array_equal(array, expected)


def test_packing_again_yields_the_same_bits(tmp_path):
    saved(tmp_path)
    weights = (tmp_path / WEIGHTS).read_bytes()
    stored = storage.load(tmp_path)
    own = {"in_features": 2, "out_features": 5}
    storage.save(tmp_path, stored.network, stored.card, own, dtype=np.int8)
    assert (tmp_path / WEIGHTS).read_bytes() == weights


KERNEL = "recurrent.layers.0.recurrent_kernel"
SCALES = f"{KERNEL}.scale"
REFUSED = {
    "scales of another shape": (
        lambda held: {SCALES: held[SCALES][:, :-1].copy()},
        f"{SCALES} must be float16 (33, 1) or (1, 132), got float16 (1, 131)",
    ),
    "scales of another dtype": (
        lambda held: {SCALES: held[SCALES].astype(np.float32)},
        f"{SCALES} must be float16 (33, 1) or (1, 132), got float32 (1, 132)",
    ),
    "scales of floats": (
        lambda held: {KERNEL: held[KERNEL].astype(np.float32)},
        f"{SCALES} needs a matrix of int8, got float32",
    ),
    "a scale that is no number": (
        lambda held: {SCALES: held[SCALES] * np.float16(np.nan)},
        f"{KERNEL} must be finite, but has NaN or infinity",
    ),
    "no scales": (
        lambda held: {SCALES: None},
        f"{KERNEL} must be float32 or float16, or int8 with scales, got int8",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_packed_weights_that_do_not_fit_are_refused_in_one_line(name, tmp_path):
    saved(tmp_path)
    change, message = REFUSED[name]
    held = safetensors.numpy.load_file(tmp_path / WEIGHTS)
    held = {name: array for name, array in (held | change(held)).items() if array is not None}
    weights = safetensors.numpy.save(held)
    (tmp_path / WEIGHTS).write_bytes(weights)
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    description["sha256"] = hashlib.sha256(weights).hexdigest()
    description["digest"] = storage._digest(description)
    (tmp_path / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(ModelError) as refused:
        storage.load(tmp_path)
    assert str(refused.value) == f"{tmp_path / WEIGHTS}: {message}"
