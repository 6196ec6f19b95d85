"""Statistics of gates, against NumPy and against gates with known statistics."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import quick
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import (
    cell_jacobian,
    histogram,
    memory_horizon,
    order_by_timescale,
    saturation,
    timescales,
)
from lstm_jax.diagnostics.gates import GateHistogram


def some_gates():
    params, state = make_params("lstm", 2, 4), make_state("lstm", (3,), 4)
    run = partial(lj.trace, lj.lstm_step, gates=lj.lstm_gates)
    return quick(run)(params, make_xs((20, 3, 2)) * 4, state)[1].gates


@pytest.fixture(scope="module")
def gates():
    with jax.enable_x64(True):
        return some_gates()


def test_histograms(gates, x64):
    def three(f, g):
        # Values outside are in no bin; the limits themselves are inside.
        few = histogram(jnp.array([-0.5, 0.0, 0.2, 0.5, 1.0]), bins=2)
        return histogram(f), histogram(g, bins=7, limits=(-1, 1)), few

    of_f, of_g, few = quick(three)(gates.f, gates.g)
    for found, gate, bins, limits in (
        (of_f, gates.f, 50, (0, 1)),
        (of_g, gates.g, 7, (-1, 1)),
    ):
        counts, edges = np.histogram(gate, bins=bins, range=limits)
        assert isinstance(found, GateHistogram)
        assert_close(found.share, counts / gate.size, 1e-15)
        assert_close(found.edges, edges, 1e-15)
        assert_close(found.share.sum(), 1, 1e-15)
    assert_close(few.share, [0.4, 0.4], 0)


def test_saturation(gates):
    gate = np.array([[0.05, 0.95, 0.5], [0.099, 0.899, 0.901], [0.1, 0.9, 0.95], [1, 0, 0.0]])
    found = quick(saturation)(gate)
    assert_close(found.left, [0.5, 0.25, 0.25], 0)
    assert_close(found.right, [0.25, 0.25, 0.5], 0)
    found = quick(saturation)(gates.f)
    assert_close(found.left, (gates.f < 0.1).mean((0, 1)), 1e-7)
    assert_close(found.right, (gates.f > 0.9).mean((0, 1)), 1e-7)
    assert (np.asarray(found.left) > 0).any()
    assert (np.asarray(found.left) != np.asarray(found.right)).any()


def test_timescales(gates, x64):
    of = quick(timescales)
    constant = np.broadcast_to([0.5, 0.9, 0.999, 1.0, 0.0], (30, 2, 5))
    found = of(constant)
    assert_close(found[:3], -1 / np.log([0.5, 0.9, 0.999]), 1e-13)
    assert found[3] == np.inf
    assert found[4] == 0
    # After τ steps, 1/e is left of the cell.
    assert_close(0.9 ** float(found[1]), np.exp(-1), 1e-13)
    # Logarithms are averaged: 0.25 and 1 keep as much as 0.5 and 0.5.
    assert_close(of(np.array([[0.25], [1.0]])), [-1 / np.log(0.5)], 1e-14)
    expected = -1 / np.log(gates.f).mean((0, 1))
    assert_close(of(gates.f), expected, 1e-14)
    order = quick(order_by_timescale)(np.array([[0.9, 0.1, 0.99, 0.5]]))
    np.testing.assert_array_equal(order, [1, 3, 0, 2])


def test_memory_horizon(gates, x64):
    of = quick(memory_horizon)
    constant = np.broadcast_to([0.5, 0.9, 0.999, 0.001, 1.0], (60, 5))
    # The least number of steps whose product is at most 1 %: 0.5^7, 0.9^44, and not within 60.
    np.testing.assert_array_equal(of(constant), [7, 44, 61, 1, 61])
    half = quick(partial(memory_horizon, fraction=0.3))(constant)
    np.testing.assert_array_equal(half, [2, 12, 61, 1, 61])
    # Counted back from the last step: earlier forgetting does not matter.
    early = np.ones((10, 2))
    early[2, 0] = early[7, 1] = 1e-3
    np.testing.assert_array_equal(of(early), [8, 3])
    found = of(gates.f)
    assert jnp.issubdtype(found.dtype, jnp.integer)
    for at in np.ndindex(3, 4):
        kept = np.cumprod(gates.f[::-1][(slice(None), *at)])
        below = np.flatnonzero(kept <= 0.01)
        assert found[at] == (below[0] + 1 if below.size else 21)


def test_errors_explain_the_mistake():
    with pytest.raises(ValueError, match="must be activations and bins, got 0 and 50"):
        histogram(jnp.zeros((0, 3)))
    with pytest.raises(ValueError, match="must be activations and bins, got 3 and 0"):
        histogram(jnp.zeros(3), bins=0)
    for fraction in (0, 1.0):
        with pytest.raises(ValueError, match=rf"fraction must lie in \(0, 1\), got {fraction}"):
            memory_horizon(jnp.ones((2, 2)), fraction=fraction)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_many_narrow_activations_are_counted_and_summed_in_wide_dtypes(dtype):
    """A bfloat16 counts to 256, a float16 to 2048; the result must be that of float64."""
    gate = jnp.asarray(np.random.default_rng(0).random((30_000, 2)), dtype)
    exact = np.asarray(gate, np.float64)
    found = quick(histogram)(gate)
    counts, _ = np.histogram(exact, bins=np.asarray(found.edges, np.float64))
    assert found.share.dtype == found.edges.dtype == jnp.float32
    np.testing.assert_allclose(found.share, counts / gate.size, rtol=1e-6)
    sides = quick(saturation)(gate)
    assert sides.left.dtype == jnp.float32
    np.testing.assert_allclose(sides.left, (exact < np.float32(0.1)).mean(0), rtol=1e-6)
    np.testing.assert_allclose(sides.right, (exact > np.float32(0.9)).mean(0), rtol=1e-6)
    open_gate = jnp.maximum(gate, jnp.asarray(0.5, dtype))
    exact = np.asarray(open_gate, np.float64)
    np.testing.assert_allclose(quick(timescales)(open_gate), -1 / np.log(exact).mean(0), rtol=1e-5)
    slow = jnp.full((3000, 1), 0.996, dtype)
    horizon = np.ceil(np.log(0.01) / np.log(float(slow[0, 0])))
    assert abs(int(quick(memory_horizon)(slow)[0]) - horizon) <= 1
    along = quick(cell_jacobian)(slow)
    np.testing.assert_allclose(along[-1, 0], 3000 * np.log(float(slow[0, 0])), rtol=1e-4)


def test_counts_beyond_what_a_float32_can_add_one_to():
    many = 2**24 + 1000
    found = histogram(jnp.full(many, 0.25), bins=2)
    assert_close(found.share, [1, 0], 0)
    assert_close(saturation(jnp.zeros((many, 1))).left, [1], 0)


def test_nan_is_in_no_bin():
    found = histogram(jnp.array([np.nan, -np.inf, np.inf, 0.1]), bins=2)
    assert_close(found.share, [0.25, 0], 0)
