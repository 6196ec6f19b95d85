"""NaN, exact zeros, and dtypes narrower than decompositions support."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import apply_matrix, quick, textbook
from problems import make_xs

from lstm_jax import diagnostics

SIZES = (4, 60, 70)  # by SVD, by Gram-Schmidt, by LAPACK's QR
NARROW = (jnp.bfloat16, jnp.float16)


def vanishing(size):
    """Six steps that double, except for the fourth, which is exactly zero."""
    return jnp.stack([jnp.eye(size) * (0 if t == 3 else 2) for t in range(6)])


@pytest.mark.parametrize(
    ("size", "method"),
    [
        *((size, method) for size in SIZES for method in ("dense", None)),
        (4, "matrix-free"),
        (70, "matrix-free"),
    ],
)
def test_a_product_that_is_exactly_zero_has_norms_of_minus_infinity(size, method):
    def run(xs):
        options = {"k": 2, "lags": [1, 2, 3, 6], "method": method}
        found = diagnostics.product_spectrum(apply_matrix, None, xs, jnp.ones(size), **options)
        return found, found.stable_rank

    found, rank = quick(run)(vanishing(size))
    for lag, column in ((1, 0), (2, 1)):
        np.testing.assert_allclose(found.log_singular_values[column], lag * np.log(2), rtol=1e-4)
    assert (found.log_singular_values[2:] == -np.inf).all()
    assert (found.log_frobenius[2:] == -np.inf).all()
    assert np.isnan(found.log_condition[2:]).all()
    np.testing.assert_array_equal(rank[2:], 0)
    assert (rank[:2] > size / 2).all()  # the matrix-free one is an estimate


@pytest.mark.parametrize("size", SIZES)
def test_a_step_that_is_exactly_zero_has_norms_and_exponents_of_minus_infinity(size):
    run = partial(diagnostics.step_norms, apply_matrix, None)
    norms = quick(run)(vanishing(size), jnp.ones(size))
    for found in norms:
        assert found[3] == -np.inf
        assert np.isfinite(np.delete(found, 3)).all()
    run = partial(diagnostics.lyapunov_spectrum, apply_matrix, None, qr_every=3)
    found = quick(run)(vanishing(size), jnp.ones(size))
    assert (found.exponents == -np.inf).all()
    np.testing.assert_allclose(found.curve[0], np.log(2), rtol=1e-5)


@pytest.mark.parametrize(("name", "dtype"), [("lstm", jnp.bfloat16), ("rnn", jnp.float16)])
def test_narrow_states_are_judged_in_float32(name, dtype):
    cell, xs = textbook(name), make_xs((6, 2))
    cast = partial(jax.tree.map, lambda leaf: jnp.asarray(leaf, dtype))
    narrow = cast(cell.params), cast(xs), cast(cell.state)
    wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), narrow)
    for ask in (
        partial(diagnostics.step_jacobians, cell.step),
        partial(diagnostics.step_norms, cell.step),
        partial(diagnostics.product_spectrum, cell.step, k=2),
        partial(diagnostics.lyapunov_spectrum, cell.step),
        lambda p, xs, s: diagnostics.fixed_points(cell.step, p, xs[0], _twice(s), iterations=3),
    ):
        found, expected = quick(ask)(*narrow), quick(ask)(*wide)
        jax.tree.map(np.testing.assert_array_equal, found, expected)
        floats = [leaf for leaf in jax.tree.leaves(found) if leaf.dtype.kind == "f"]
        assert {leaf.dtype for leaf in floats} == {np.dtype(np.float32)}


def _twice(state):
    return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf / 2]), state)


def test_a_step_may_round_its_own_results():
    """The casts inside the step remain; their results are carried in float32."""

    def step(params, state, x):
        return (params * state.astype(jnp.bfloat16) + x.astype(jnp.bfloat16)).astype(jnp.bfloat16)

    arguments = jnp.bfloat16(0.5), jnp.ones((4, 3), jnp.bfloat16), jnp.ones(3, jnp.bfloat16)
    found = quick(partial(diagnostics.product_spectrum, step, k=1, lags=[2]))(*arguments)
    np.testing.assert_allclose(found.log_singular_values, [[2 * np.log(0.5)]], rtol=1e-2)


@pytest.mark.parametrize("dtype", NARROW)
def test_norms_of_narrow_adjoints_are_float32(dtype):
    adjoints = jnp.full((3, 2, 500), 200, dtype)
    found = diagnostics.norms_by_lag(adjoints)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, 200 * 1000**0.5, rtol=1e-5)
    bound = diagnostics.log_bound(jnp.full(3000, 0.01, dtype))
    np.testing.assert_allclose(bound[-1], 3000 * float(jnp.asarray(0.01, dtype)), rtol=1e-4)


@pytest.mark.parametrize("at", [0, 1, 3, slice(None)])
def test_nan_has_no_length(at):
    figures = np.array([4.0, 2.0, 1.0, 1.0])
    figures[at] = np.nan
    contexts = jnp.array([1, 2, 4, 8])
    memory = partial(diagnostics.memory_length, contexts)
    lag = partial(diagnostics.influence_lag, fraction=0.3)
    with pytest.raises(ValueError, match="losses must not be NaN"):
        memory(figures)
    with pytest.raises(ValueError, match="norms must not be NaN"):
        lag(jnp.asarray(figures))
    with pytest.raises(ValueError, match="forget gates must not be NaN"):
        diagnostics.memory_horizon(figures[:, None] / 8)
    # Traced, it counts as far away, not as forgotten.
    lengths = {0: (4, 4), 1: (4, 2), 3: (8, 4)}.get(at, (8, 4)) if at != slice(None) else (8, 4)
    assert (jax.jit(memory)(figures), jax.jit(lag)(figures)) == lengths


def test_a_nan_gate_forgets_nothing():
    forget = np.full((5, 3), 0.05)
    forget[-1, 0] = forget[0, 1] = np.nan  # before anything is forgotten, and after
    found = jax.jit(diagnostics.memory_horizon)(forget)
    np.testing.assert_array_equal(found, [6, 2, 2])
