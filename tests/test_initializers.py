import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import CELLS

from lstm_jax import chrono, init_gru, init_lstm, init_rnn
from lstm_jax.initializers import orthogonal_gates

D, H = 5, 4
INIT = {"lstm": init_lstm, "rnn": init_rnn, "gru": init_gru}


@functools.cache
def initial(cell):
    return INIT[cell](jax.random.key(0), D, H)


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_dtypes_and_kinds(cell):
    params, gates = initial(cell), CELLS[cell].gates
    assert type(params) is CELLS[cell].Params
    assert params.input_kernel.shape == (D, gates * H)
    assert params.recurrent_kernel.shape == (H, gates * H)
    assert params.bias.shape == (gates * H,)
    assert all(a.dtype == jnp.float32 for a in jax.tree.leaves(params))


@pytest.mark.parametrize("cell", CELLS)
def test_every_gate_has_its_own_orthogonal_block(cell):
    kernel = np.asarray(initial(cell).recurrent_kernel, np.float64)
    blocks = np.split(kernel, CELLS[cell].gates, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(H), atol=1e-6)
    for a, b in itertools.pairwise(blocks):
        assert np.abs(a - b).max() > 0.1


def test_scale_multiplies_the_blocks():
    kernel = np.asarray(orthogonal_gates(jax.random.key(0), H, 2, scale=0.5), np.float64)
    np.testing.assert_allclose(kernel[:, :H].T @ kernel[:, :H], 0.25 * np.eye(H), atol=1e-6)


def test_the_input_kernel_keeps_the_variance():
    # LeCun: variance 1/D; 1600 draws know it to four per cent.
    kernel = np.asarray(init_rnn(jax.random.key(0), 400, H).input_kernel)
    assert kernel.var() == pytest.approx(1 / 400, rel=0.15)
    assert abs(kernel.mean()) < 0.005


def test_the_forget_bias_alone_is_set():
    np.testing.assert_array_equal(initial("lstm").bias, np.repeat([0, 1, 0, 0], H))
    bias = init_lstm(jax.random.key(0), D, H, forget_bias=2.5).bias
    np.testing.assert_array_equal(bias[H : 2 * H], 2.5)
    assert (np.asarray(initial("gru").bias) == 0).all()
    assert (np.asarray(initial("gru").recurrent_bias) == 0).all()
    assert (np.asarray(initial("rnn").bias) == 0).all()


def test_the_key_decides():
    again = init_lstm(jax.random.key(0), D, H)
    other = init_lstm(jax.random.key(1), D, H)
    jax.tree.map(np.testing.assert_array_equal, again, initial("lstm"))
    assert np.abs(other.recurrent_kernel - again.recurrent_kernel).max() > 0.1
    assert np.abs(other.input_kernel - again.input_kernel).max() > 0.1


@pytest.mark.parametrize("cell", CELLS)
def test_bfloat16_is_the_rounded_float32(cell):
    low = INIT[cell](jax.random.key(0), D, H, dtype=jnp.bfloat16)
    assert all(a.dtype == jnp.bfloat16 for a in jax.tree.leaves(low))
    np.testing.assert_array_equal(
        low.recurrent_kernel, initial(cell).recurrent_kernel.astype(jnp.bfloat16)
    )


def test_float64(x64):
    block = np.asarray(orthogonal_gates(jax.random.key(0), H, 1, dtype=jnp.float64))
    np.testing.assert_allclose(block.T @ block, np.eye(H), atol=1e-14)
    for dtype in (jnp.float64, None):  # the default is float32 in every mode
        params = jax.eval_shape(lambda d=dtype: init_lstm(jax.random.key(0), D, H, dtype=d))
        assert all(a.dtype == (dtype or jnp.float32) for a in jax.tree.leaves(params))


def test_chrono_spreads_the_timescales():
    width, longest = 4000, 100.0
    params = CELLS["lstm"].Params(jnp.zeros((1, 4 * width)), jnp.zeros((width, 1)), jnp.zeros(1))
    new = chrono(jax.random.key(0), params, longest)
    i, f, g, o = np.split(np.asarray(new.bias, np.float64), 4)
    np.testing.assert_array_equal(i, -f)
    assert (g == 0).all()
    assert (o == 0).all()
    times = np.exp(f)  # uniform on (1, longest - 1)
    assert times.min() >= 1 - 1e-6
    assert times.max() <= longest - 1 + 1e-3
    counts, _ = np.histogram(times, bins=10, range=(1, longest - 1))
    np.testing.assert_allclose(counts, width / 10, rtol=0.25)  # five standard deviations
    assert new.input_kernel is params.input_kernel
    assert new.recurrent_kernel is params.recurrent_kernel


def test_chrono_keeps_the_dtype_and_runs_under_jit():
    params = jax.tree.map(lambda a: a.astype(jnp.bfloat16), initial("lstm"))
    new = jax.jit(chrono, static_argnums=2)(jax.random.key(0), params, 30.0)
    assert new.bias.dtype == jnp.bfloat16
    assert new.bias.shape == (4 * H,)


@pytest.mark.parametrize("cell", CELLS)
def test_errors_name_the_size(cell):
    with pytest.raises(ValueError, match="in_features must be at least 1, got 0"):
        INIT[cell](jax.random.key(0), 0, H)
    with pytest.raises(ValueError, match="hidden_features must be at least 1, got -1"):
        INIT[cell](jax.random.key(0), D, -1)


@pytest.mark.parametrize("longest", [2, 0, -1.0, float("nan")])
def test_chrono_needs_more_than_two_steps(longest):
    with pytest.raises(ValueError, match="max_timescale must be above 2"):
        chrono(jax.random.key(0), initial("lstm"), longest)


def test_torch_draws_two_biases_of_a_candidate_and_a_projection():
    """As PyTorch does, each from U(-1/√H, 1/√H); only the biases of gates are sums of two draws."""
    gru = init_gru(jax.random.key(0), 3, 400, preset="torch")
    lstm = init_lstm(jax.random.key(1), 3, 400, projection_features=50, preset="torch")
    for array in (gru.bias[800:], gru.recurrent_bias, lstm.projection):
        assert np.abs(array).max() <= 1 / 20
        assert np.std(array) == pytest.approx(1 / 20 / np.sqrt(3), rel=0.1)
    assert np.std(gru.bias[:800]) == pytest.approx(np.sqrt(2) / 20 / np.sqrt(3), rel=0.1)
    assert (gru.bias[800:] != gru.recurrent_bias).any()
