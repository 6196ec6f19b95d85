"""Singular values of long products: exact identities, decimals, and both methods."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import (
    SPECTRA,
    N,
    apply_matrix,
    assert_spectrum,
    every_step,
    padded,
    prescribed,
    quick,
    rotation,
    spectrum,
    textbook,
)
from oracles import jacobians as oracle
from problems import assert_close, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import graded, product_spectrum, products
from lstm_jax.diagnostics.krylov import top_singular_values
from lstm_jax.diagnostics.products import choose

T, LAGS = 100, (7, 100, 1)


# --- exact identities, float64 -------------------------------------------------------------------


def test_a_linear_recurrence_has_the_powers_of_its_matrix(x64):
    w = np.random.default_rng(0).normal(size=(4, 4)) * 0.7
    found = spectrum(every_step(w))
    for row, lag in zip(found.log_singular_values, LAGS, strict=True):
        assert_close(row, oracle.log_singular_values([w] * lag), 1e-13)


def test_a_symmetric_matrix_has_powers_of_its_eigenvalues(x64):
    turn, eigenvalues = rotation(4, 1), np.array([1.3, -0.8, 0.5, 0.2])
    found = spectrum(every_step((turn * eigenvalues) @ turn.T))
    assert_close(found.log_singular_values, np.outer(LAGS, np.log(np.abs(eigenvalues))), 1e-13)
    assert_close(found.log_condition, np.array(LAGS) * np.log(1.3 / 0.2), 1e-13)


def test_an_orthogonal_matrix_changes_no_length(x64):
    turns = np.stack([rotation(4, seed) for seed in range(T)])
    found = spectrum(turns)
    assert np.abs(found.log_singular_values).max() < 1e-14
    assert_close(found.log_frobenius, np.full(3, np.log(2)), 1e-14)
    assert_close(found.stable_rank, np.full(3, 4), 1e-13)
    assert np.abs(found.log_condition).max() < 1e-14


def a_chain(seed=3):
    """Steps that rotate every direction, and grow and shrink by up to 3."""
    rng = np.random.default_rng(seed)
    return np.stack([prescribed(rng.uniform(0.3, 3, 4), 10 * t) for t in range(T)])


def test_any_chain_against_decimals(x64):
    matrices = a_chain()
    found = spectrum(matrices)
    determinants = np.linalg.slogdet(matrices)[1]
    for row, lag in zip(found.log_singular_values, LAGS, strict=True):
        assert_close(row, oracle.log_singular_values(matrices[T - lag :]), 2e-13)
        assert_close(row.sum(), determinants[T - lag :].sum(), 1e-13)
    assert_close(
        found.log_frobenius, np.log(np.exp(2 * found.log_singular_values).sum(-1)) / 2, 1e-14
    )
    # <u, P v> = <Pᵀ u, v>: Pᵀ is the chain of transposes backwards, and has the same values.
    backwards = spectrum(matrices[::-1].transpose(0, 2, 1))
    assert_close(backwards.log_singular_values[1], found.log_singular_values[1], 1e-13)
    # The smallest is 1/‖P⁻¹‖.
    inverse = spectrum(np.linalg.inv(matrices)[::-1])
    assert_close(-inverse.log_singular_values[1, ::-1], found.log_singular_values[1], 1e-13)


def test_norms_of_steps_do_not_determine_the_norm_of_the_product(x64):
    found = spectrum(every_step(padded(np.array([[0.5, 10], [0, 0.5]]))))
    assert_close(np.exp(found.log_spectral_norm[2]), 10.025, 1e-5)
    # W^100 = 0.5^100 [[1, 2000], [0, 1]]: its norm is 1.6e-27.
    expected = -100 * np.log(2) + np.arcsinh(1000)
    assert_close(found.log_spectral_norm[1], expected, 1e-15)
    assert_close(np.exp(expected) * 1e27, 1.578, 1e-3)
    assert_close(found.stable_rank[1], 1, 1e-12)


def test_the_order_of_the_steps(x64):
    w = padded(np.array([[0.5, 10], [0, 0.5]]), fill=0.3)
    matrices = np.stack([w.T] * (T - 7) + [w] * 7)
    found = spectrum(matrices)
    for row, lag in zip(found.log_singular_values, LAGS, strict=True):
        assert_close(row, oracle.log_singular_values(matrices[T - lag :]), 1e-13)


@pytest.mark.parametrize(
    ("method", "n", "factors"),
    [("dense", 4, (0.5, 2.0, 1e-8, 1e20)), ("matrix-free", 32, (2.0,))],
)
def test_float32_neither_under_nor_overflows(method, n, factors):
    """In a plain product, 0.5·orthogonal is 0 after 150 steps, and 2·orthogonal infinite at 129."""
    turns = np.stack([rotation(n, seed) for seed in range(25)])

    def values(matrices):
        matrices = np.tile(matrices, (5000 // len(matrices), 1, 1)).astype(np.float32)
        found = spectrum(matrices, k=2, lags=(5000,), method=method)
        assert found.log_singular_values.dtype == np.float32
        return *found.log_singular_values[0], found.log_frobenius[0]

    for factor in factors:
        expected = 5000 * np.log(factor)
        *found, frobenius = values(factor * turns)
        assert_close(found, [expected] * 2, 1e-5)
        assert_close(frobenius, expected + np.log(n) / 2, 1e-5)
    # One direction stays, and in all the others everything halves.
    matrix = 0.5 * np.eye(n)
    matrix[0, 0] = 1
    matrix = turns[0] @ matrix @ turns[0].T
    assert_close(values(matrix[None]), [0, -5000 * np.log(2), 0], 1e-3)


# --- a network -----------------------------------------------------------------------------------

LSTM = textbook("lstm")
XS = make_xs((2, 40, 2))
LSTM_LAGS = (40, 5)


@cache
def dense_lstms():
    """A batch of two; they shrink some directions by e^6 a step, hence the QR every 4."""

    def run(xs, params, state):
        return product_spectrum(lj.lstm_step, params, xs, state, k=6, lags=LSTM_LAGS, qr_every=4)

    with jax.enable_x64(True):
        return quick(jax.vmap(run, (0, None, None)))(XS, LSTM.params, LSTM.state)


def test_a_batch_of_lstms_against_decimals():
    found = dense_lstms()
    for b, xs in enumerate(XS):
        _, jacobians = oracle.chain(LSTM.oracle, LSTM.state, xs)
        for row, lag in enumerate(LSTM_LAGS):
            expected = oracle.log_singular_values(jacobians[-lag:])
            actual = found.log_singular_values[b, row]
            assert_close(actual[:3], expected[:3], 5e-14)
            # The rounding errors of single Jacobians show in the smallest.
            assert_close(actual[3:], expected[3:], 2e-9)
            assert_close(found.log_condition[b, row], expected[0] - expected[-1], 2e-9)


def test_both_methods_agree_for_an_lstm(x64):
    dense = dense_lstms()
    free = quick(
        lambda params, xs, state: product_spectrum(
            lj.lstm_step, params, xs, state, k=3, lags=LSTM_LAGS, method="matrix-free"
        )
    )(LSTM.params, XS[1], LSTM.state)
    assert_close(free.log_singular_values, dense.log_singular_values[1, :, :3], 5e-14)
    assert_close(free.log_frobenius, dense.log_frobenius[1], 1e-14)
    assert np.isnan(free.log_condition).all()


def test_one_unit_and_one_step():
    found = spectrum(np.full((1, 1, 1), -0.3), k=1, lags=(1,), method="matrix-free")
    for values in (found.log_singular_values, found.log_frobenius[None]):
        assert_close(values, [[np.log(0.3)]], 1e-7)
    assert_close(found.stable_rank, [1], 1e-6)


# --- spectra that are prescribed -----------------------------------------------------------------


@cache
def passed(k):
    """`top_singular_values` of one matrix."""
    width = min(k + 4, N)

    def run(matrix, seed):
        def through(matrix, rows):
            return graded.absorb(rows @ matrix, graded.identity(len(rows), rows.dtype))

        gaussian = jax.random.normal(jax.random.key(seed), (N, min(width + 8, N)), matrix.dtype)
        start = jnp.linalg.qr(gaussian)[0].T
        return top_singular_values(
            partial(through, matrix.T), partial(through, matrix), start, k, width
        )

    return quick(run)


def test_matrix_free_values_of_any_spectrum(x64):
    for name, values in SPECTRA.items():
        matrix = prescribed(values, seed=4)
        found, frobenius = passed(4)(matrix, 2)
        assert_spectrum(name, matrix, found, frobenius)


def test_the_frobenius_norm_is_unbiased(x64):
    found = np.array([passed(4)(np.eye(N), seed)[1] for seed in range(30)])
    squares = np.exp(2 * found) / N
    error = squares.std() / np.sqrt(30)
    assert 1e-3 < error < 7e-3  # an estimate, because two directions are outside the Krylov space
    assert abs(squares.mean() - 1) < 2 * error


def test_which_method_is_chosen():
    assert choose(40, 1, (100,)) == "dense"
    assert choose(200, 8, (100,)) == "by steepness"
    assert choose(96, 2, (3,)) == "by steepness"
    assert choose(1000, 8, (100,)) == "matrix-free"
    assert choose(1000, 900, (100,)) == "dense"
    # One dense sweep passes all lags; the matrix-free method sweeps for each.
    assert choose(1000, 8, tuple(range(1, 101))) == "dense"


@pytest.mark.parametrize("steepness", [0.0, 1.0])
def test_the_default_looks_at_the_spectrum_if_it_matters(steepness, x64, monkeypatch):
    # The decimals cost n³, so let a small n be between the methods.
    monkeypatch.setattr(products, "DENSE_UP_TO", 8)
    n = 32
    values = np.exp(-steepness * np.arange(n))
    matrix = prescribed(values, seed=7)
    assert choose(n, 2, (3,)) == "by steepness"
    found = spectrum(np.tile(matrix, (3, 1, 1)), k=2, lags=(3,), method=None)
    expected = oracle.log_singular_values([matrix] * 3)
    assert_close(found.log_singular_values[0], expected[:2], 1e-12)
    assert np.isnan(found.log_condition[0]) == bool(steepness)  # the dense method returns it


@pytest.mark.parametrize(
    ("message", "options"),
    [
        (r"k must lie in \[1, n=4\], got 5", {"k": 5}),
        (r"k must lie in \[1, n=4\], got 0", {"k": 0}),
        (r"lags must lie in \[1, T=3\], got 2 to 4", {"lags": [2, 4]}),
        (r"lags must lie in \[1, T=3\], got 0 to 0", {"lags": 0}),
        ('method must be None, "dense" or "matrix-free", got \'power\'', {"method": "power"}),
        ("qr_every must be at least 1, got 0", {"qr_every": 0}),
    ],
)
def test_errors_explain_the_mistake(message, options):
    with pytest.raises(ValueError, match=message):
        product_spectrum(apply_matrix, None, np.ones((3, 4, 4)), np.zeros(4), **{"k": 2} | options)
