"""Single steps: their Jacobians and norms, and the bound that norms give on a product."""

from functools import partial
from math import fsum

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import (
    CELLS,
    SPECTRA,
    XS,
    apply_matrix,
    assert_spectrum,
    every_step,
    padded,
    prescribed,
    quick,
    rotation,
    spectrum,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import jacobians as oracle
from oracles.cells import as_params, lstm_gates, lstm_step
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import jacobians, log_bound, step_jacobians, step_norms

H, D = 4, 2


@pytest.fixture(scope="module")
def lstm():
    """300 steps of an LSTM: parameters, states and Jacobians."""
    params, state, xs = make_params("lstm", D, H), make_state("lstm", (), H), make_xs((300, D))
    with jax.enable_x64(True):
        found = quick(partial(step_jacobians, lj.lstm_step))(params, xs, state)
    states, expected = oracle.chain(partial(lstm_step, as_params(params)), state, xs)
    return params, xs, states, np.asarray(found), expected


def test_jacobians_of_an_lstm(lstm):
    *_, found, expected = lstm
    assert found.shape == (300, 2 * H, 2 * H)
    assert_close(found, expected, 1e-14)


def test_the_determinant_of_an_lstm(lstm):
    """ln|det J_t| = Σ ln f + Σ ln|tanh(c_t) o (1 - o)| + ln|det U_o|: catches a dropped path."""
    params, xs, states, found, _ = lstm
    determinant_o = np.linalg.slogdet(params.recurrent_kernel[:, 3 * H :])[1]
    terms = []
    for t, x in enumerate(xs):
        _, f, _, o = lstm_gates(as_params(params), states[t, :H], x)
        c = states[t + 1, H:]
        terms += [*np.log(f), *np.log(np.abs(np.tanh(c)) * o * (1 - o)), determinant_o]
    actual = np.linalg.slogdet(found)[1]
    assert_close(actual[0], fsum(terms[: 2 * H + 1]), 1e-13)
    assert abs(fsum(actual) - fsum(terms)) < 1.5e-12


def test_without_recurrent_weights_the_cell_forgets_by_its_gates(x64):
    params, state = CELLS["lstm"].params, CELLS["lstm"].state
    params = lj.LSTMParams(params.input_kernel, 0 * params.recurrent_kernel, params.bias)
    found = quick(partial(step_jacobians, lj.lstm_step))(params, XS[:2], state)
    h, c = state
    for t in range(2):
        i, f, g, o = lstm_gates(as_params(params), h, XS[t])
        c = f * c + i * g
        assert (found[t][:, :3] == 0).all()
        assert_close(found[t][3:, 3:], np.diag(f), 1e-15)
        assert_close(found[t][:3, 3:], np.diag(o * (1 - np.tanh(c) ** 2) * f), 1e-15)


def norms(matrices):
    state = jnp.zeros(matrices.shape[-1], matrices.dtype)
    return step_norms(apply_matrix, None, matrices, state)


dense_norms = quick(norms)
bound_by_lag = quick(log_bound)


def test_norms_of_steps(x64):
    matrices = np.random.default_rng(0).normal(size=(100, 4, 4))
    found = dense_norms(matrices)
    assert_close(found.log_spectral, np.log(np.linalg.norm(matrices, 2, axis=(1, 2))), 1e-14)
    assert_close(found.log_frobenius, np.log(np.linalg.norm(matrices, axis=(1, 2))), 1e-14)


def test_norms_of_steps_without_their_matrices(monkeypatch):
    monkeypatch.setattr(jacobians, "DENSE_UP_TO", 0)
    spectra = SPECTRA | {"tiny": SPECTRA["tiny"] * 1e220, "huge": SPECTRA["huge"] * 1e-220}
    matrices = np.stack([prescribed(values, 4) for values in spectra.values()]).astype(np.float32)
    found = quick(lambda matrices: norms(matrices))(matrices)
    assert found.log_spectral.dtype == np.float32
    for name, matrix, *values in zip(spectra, matrices, *found, strict=True):
        assert_spectrum(name, matrix, values[0][None], values[1])


def test_the_bound_is_the_sum_of_the_last_norms(x64):
    assert_close(bound_by_lag(np.array([1.0, 2, 4])), [0, 4, 6, 7], 0)
    w = padded(np.array([[0.5, 10], [0, 0.5]]))
    steps = dense_norms(every_step(w)).log_spectral
    assert_close(np.exp(steps), np.full(100, 10.025), 1e-4)
    bound = bound_by_lag(steps)[100]
    assert_close(bound, 100 * np.log(5 + np.sqrt(101) / 2), 1e-14)
    truth = spectrum(every_step(w)).log_spectral_norm[1]
    assert_close((bound / np.log(10), truth / np.log(10)), (100.1, -26.80), 1e-3)


def chains(kind, seed, size):
    rng = np.random.default_rng(seed)
    matrices = rng.normal(size=(100, 4, 4)) * np.exp(size)
    if kind == "triangular":
        matrices = np.triu(matrices)
    if kind == "one matrix":
        matrices = every_step(matrices[0])
    if kind == "rank 1":
        matrices = matrices[:, :, :1] * matrices[:, :1, :]
    if kind == "orthogonal":
        matrices = every_step(np.exp(size) * rotation(4, seed))
    return matrices


@example("rank 1", 27352, 4.2421875)  # a row of 0 / almost 0, which was infinite
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.sampled_from(["gaussian", "triangular", "one matrix", "rank 1", "orthogonal"]),
    st.integers(0, 2**32 - 1),
    st.floats(-20, 20),
)
def test_the_bound_is_never_below_the_truth(kind, seed, size):
    matrices = chains(kind, seed, size)
    with jax.enable_x64(True):
        bound = bound_by_lag(dense_norms(matrices).log_spectral)
        found = spectrum(matrices)
    for lag, truth in zip(found.lags, found.log_spectral_norm, strict=True):
        assert truth <= bound[lag] + 1e-13 * lag * max(1, abs(bound[lag]))
        if kind == "orthogonal":
            assert_close(truth, bound[lag], 1e-12)
    assert_close(found.log_spectral_norm[2], bound[1], 1e-13)


def test_errors_explain_the_mistake():
    cell = CELLS["own"]
    for ask in (step_jacobians, step_norms):
        with pytest.raises(ValueError, match="xs has no time steps"):
            ask(cell.step, cell.params, XS[:0], cell.state)
        with pytest.raises(TypeError, match=r"state\['fast'\] is int32"):
            ask(cell.step, cell.params, XS, cell.state | {"fast": np.zeros(2, np.int32)})
