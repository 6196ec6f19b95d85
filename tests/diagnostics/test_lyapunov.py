"""Lyapunov exponents against eigenvalues, determinants and decimals."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import (
    CELLS,
    apply_matrix,
    every_step,
    leaves_of,
    prescribed,
    quick,
    rotation,
)
from oracles import jacobians as oracle
from oracles.cells import as_params, lstm_step
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import lyapunov_spectrum


@cache
def compiled(**options):
    def run(matrices, seed):
        state, key = jnp.zeros(matrices.shape[-1], matrices.dtype), jax.random.key(seed)
        return lyapunov_spectrum(apply_matrix, None, matrices, state, key=key, **options)

    return quick(run)


def spectrum(matrices, seed=0, **options):
    return compiled(**options)(matrices, seed)


T = 200


def test_a_symmetric_matrix_has_the_logarithms_of_its_eigenvalues(x64):
    turn, eigenvalues = rotation(4, 1), np.array([1.3, -0.8, 0.5, 0.2])
    found = spectrum(every_step((turn * eigenvalues) @ turn.T, T), burn_in=120)
    assert_close(found.exponents, np.log(np.abs(eigenvalues)), 1e-13)


def test_an_orthogonal_matrix_has_only_zeros(x64):
    found = spectrum(np.stack([rotation(4, seed) for seed in range(T)]), burn_in=120)
    assert np.abs(found.exponents).max() < 1e-15


def test_any_matrix_converges_as_one_over_the_time(x64):
    w = rotation(4, 2) @ np.diag([2.0, 1.2, 0.7, 0.3])
    eigenvalues = np.linalg.eigvals(w)
    assert np.abs(eigenvalues.imag).max() > 1  # a pair that rotates forever
    moduli = np.sort(np.log(np.abs(eigenvalues)))
    found = spectrum(every_step(w, T))
    error = np.abs(np.sort(found.curve) - moduli).max(1) * found.times
    assert error[9:].min() > 1.8
    assert error[9:].max() < 2.1
    assert_close(found.curve.sum(1), np.full(T, np.log(np.abs(np.linalg.det(w)))), 1e-13)


def a_chain():
    """Steps that rotate every direction, and grow and shrink by different factors each time."""
    sizes = np.random.default_rng(0).uniform(0.8, 1.2, (T, 4)) * [5, 1, 0.2, 0.03]
    return np.stack([prescribed(values, 10 * t) for t, values in enumerate(sizes)])


def test_the_exponents_add_up_to_the_growth_of_volumes(x64):
    matrices = a_chain()
    found = spectrum(matrices)
    assert found.curve.shape == (T, 4)
    np.testing.assert_array_equal(found.times, np.arange(1, T + 1))
    determinants = np.cumsum(np.linalg.slogdet(matrices)[1])
    assert_close(found.curve.sum(1) * found.times, determinants, 1e-13)
    np.testing.assert_array_equal(found.exponents, np.sort(found.curve[-1])[::-1])
    # After a while, they are those of the singular values of the product.
    assert_close(found.exponents, oracle.log_singular_values(matrices) / T, 0.02)


def test_the_burn_in_is_left_out(x64):
    matrices = a_chain()
    found = spectrum(matrices, burn_in=120)
    assert found.curve.shape == (80, 4)
    np.testing.assert_array_equal(found.times, np.arange(1, 81))
    determinants = np.cumsum(np.linalg.slogdet(matrices[120:])[1])
    assert_close(found.curve.sum(1) * found.times, determinants, 1e-12)
    assert_close(found.exponents, oracle.lyapunov(matrices, burn_in=120), 1e-12)
    # The start was forgotten.
    again = spectrum(matrices, seed=1, burn_in=120)
    assert_close(again.exponents, found.exponents, 1e-12)
    assert np.abs(spectrum(matrices, seed=1).curve[0] - spectrum(matrices).curve[0]).max() > 0.1


def test_qr_every_few_steps_is_the_same(x64):
    matrices = a_chain()
    found, every = spectrum(matrices, qr_every=5, burn_in=40), spectrum(matrices)
    assert found.curve.shape == (32, 4)
    np.testing.assert_array_equal(found.times, np.arange(5, 165, 5))
    expected = (T * every.curve[-1] - 40 * every.curve[39]) / 160
    assert_close(found.curve[-1], expected, 1e-9)  # ε e^(5 · 3): anything further below is lost


def test_the_first_k_are_the_same(x64):
    w = (rotation(4, 1) * np.array([1.3, -0.8, 0.5, 0.2])) @ rotation(4, 1).T
    found = spectrum(every_step(w, T), k=2, burn_in=120)
    assert found.curve.shape == (80, 2)
    assert_close(found.exponents, np.log([1.3, 0.8]), 1e-13)


def test_float32_neither_under_nor_overflows():
    turns = np.stack([rotation(4, seed) for seed in range(T)])
    for factor in (1e-15, 1e15):
        found = spectrum((factor * turns).astype(np.float32), qr_every=20)
        assert found.exponents.dtype == np.float32
        assert_close(found.exponents, np.full(4, np.log(factor)), 1e-6)


def test_exponents_of_the_hidden_state_alone_are_wrong(x64):
    """With a forget bias of 5 the cell keeps its state: λ_1 is near 0, which h does not show."""
    hidden, steps, burn_in = 3, 200, 100
    params = jax.tree.map(lambda a: a / 2, make_params("lstm", 2, hidden))
    params = lj.LSTMParams(
        params.input_kernel, params.recurrent_kernel, np.repeat([0.0, 5, 0, 0], hidden)
    )
    state, xs = make_state("lstm", (), hidden), make_xs((2, steps, 2))

    def run(xs, params, state):
        return lyapunov_spectrum(lj.lstm_step, params, xs, state, burn_in=burn_in)

    found = quick(jax.vmap(run, (0, None, None)))(xs, params, state)
    step = partial(lstm_step, as_params(params))
    for b in range(2):
        _, jacobians = oracle.chain(step, state, xs[b])
        expected = oracle.lyapunov(jacobians, burn_in=burn_in)
        # Half of the directions stay and half decay; in each half they are hard to distinguish.
        for half in (slice(None, hidden), slice(hidden, None)):
            assert_close(found.curve[b, -1, half].sum(), expected[half].sum(), 1e-12)
        assert_close(found.exponents[b], np.sort(expected)[::-1], 5e-3)
        determinants = np.linalg.slogdet(jacobians[burn_in:])[1]
        assert_close(found.exponents[b].sum() * (steps - burn_in), determinants.sum(), 1e-12)
        hidden_only = oracle.lyapunov(jacobians[:, :hidden, :hidden], burn_in=burn_in)
        assert -0.02 < found.exponents[b, 0] < 0.005
        assert hidden_only.max() < -1


def test_all_exponents_of_a_custom_cell(x64):
    cell, xs = CELLS["own"], make_xs((30, 2))
    found = quick(partial(lyapunov_spectrum, cell.step))(cell.params, xs, cell.state)
    _, jacobians = oracle.chain(cell.oracle, leaves_of(cell.state), xs)
    assert found.curve.shape == (30, 6)
    determinants = np.cumsum(np.linalg.slogdet(jacobians)[1])
    assert_close(found.curve.sum(1) * found.times, determinants, 1e-11)
    assert_close(found.exponents, oracle.log_singular_values(jacobians) / 30, 0.2)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        (r"k must lie in \[1, n=4\], got 0", {"k": 0}),
        (r"k must lie in \[1, n=4\], got 5", {"k": 5}),
        (r"burn_in in \[0, T=6\), got 1 and 6", {"burn_in": 6}),
        (r"burn_in in \[0, T=6\), got 1 and -1", {"burn_in": -1}),
        ("qr_every must be at least 1 .* got 0 and 0", {"qr_every": 0}),
        ("qr_every=4 must divide burn_in=0 and T - burn_in=6", {"qr_every": 4}),
        ("qr_every=2 must divide burn_in=3 and T - burn_in=3", {"qr_every": 2, "burn_in": 3}),
    ],
)
def test_errors_explain_the_mistake(message, options):
    with pytest.raises(ValueError, match=message):
        lyapunov_spectrum(apply_matrix, None, np.ones((6, 4, 4)), np.zeros(4), **options)
