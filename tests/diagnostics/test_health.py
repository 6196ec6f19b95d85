"""Figures of an update against NumPy; the adjoint against the chain rule written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import adjoints
from oracles.cells import as_params
from problems import CELLS, assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics.adjoints import adjoints as adjoints_of
from lstm_jax.diagnostics.adjoints import perturbed
from lstm_jax.diagnostics.health import adjoint_by_lag, global_norm, update_health

T, B, D, H = 7, 3, 2, 4


def tree(seed):
    rng = np.random.default_rng(seed)
    return {
        "lstm": {"kernel": rng.normal(size=(3, 4)), "layers": [rng.normal(size=2)]},
        "bias": rng.normal(size=5),
    }


def norm(*arrays):
    return np.sqrt(sum((np.asarray(a, np.float64) ** 2).sum() for a in arrays))


def leaves(tree):
    return [tree["lstm"]["kernel"], tree["lstm"]["layers"][0], tree["bias"]]


def test_the_figures_of_an_update():
    gradients, updates, params = tree(0), tree(1), tree(2)
    found = update_health(*map(as_arrays, (gradients, updates, params)), clip_norm=1.5)
    assert_close(found.grad_norm, norm(*leaves(gradients)), 1e-6)
    assert found.clipped
    assert found.nonfinite == 0
    assert_close(found.update_ratio, norm(*leaves(updates)) / norm(*leaves(params)), 1e-6)
    assert set(found.update_ratios) == {"lstm", "bias"}
    expected = norm(*leaves(updates)[:2]) / norm(*leaves(params)[:2])
    assert_close(found.update_ratios["lstm"], expected, 1e-6)
    assert_close(found.update_ratios["bias"], norm(updates["bias"]) / norm(params["bias"]), 1e-6)


def as_arrays(tree):
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), tree)


def test_a_gradient_at_the_limit_is_not_clipped():
    gradient = {"w": jnp.array([3.0, 4.0])}
    assert not update_health(gradient, gradient, gradient, clip_norm=5.0).clipped
    assert update_health(gradient, gradient, gradient, clip_norm=4.9999).clipped


def test_values_that_are_not_finite_are_counted():
    gradients = {"a": jnp.array([1.0, jnp.nan, jnp.inf]), "b": [jnp.array([-jnp.inf, 0.0])]}
    ones = jax.tree.map(jnp.ones_like, gradients)
    found = update_health(gradients, ones, ones, clip_norm=1.0)
    assert found.nonfinite == 3
    assert not np.isfinite(found.grad_norm)
    assert found.update_ratio == 1


def test_parameters_that_are_zero_have_no_finite_ratio():
    zeros, ones = {"bias": jnp.zeros(3)}, {"bias": jnp.ones(3)}
    assert update_health(ones, ones, zeros, clip_norm=1.0).update_ratios["bias"] == np.inf
    assert np.isnan(update_health(ones, zeros, zeros, clip_norm=1.0).update_ratios["bias"])


def test_norms_are_taken_in_float32_at_least():
    wide = jnp.full(2000, 100.0, jnp.float16)
    assert_close(global_norm({"w": wide}), 100 * np.sqrt(2000), 1e-6)
    assert global_norm({"w": wide}).dtype == jnp.float32
    assert global_norm(()) == 0


def test_a_bare_array_is_a_group():
    found = update_health(jnp.ones(2), jnp.ones(2), jnp.full(2, 4.0), clip_norm=1.0)
    assert {name: float(r) for name, r in found.update_ratios.items()} == {"all": 0.25}


@pytest.mark.parametrize("cell", CELLS)
def test_zeros_change_nothing(cell, x64):
    params, xs, state = make_params(cell, D, H), make_xs((T, B, D)), make_state(cell, (B,), H)
    zeros = jax.tree.map(lambda leaf: np.zeros((T, *leaf.shape)), state)
    expected = lj.scan(CELLS[cell].step, params, xs, state)
    found = lj.scan(perturbed(CELLS[cell].step), params, (xs, zeros), state)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def profile(weights, resets, **options):
    """The adjoint of Σ weights · hs of an LSTM, by lag."""
    params, xs, state = make_params("lstm", D, H), make_xs((T, B, D)), make_state("lstm", (B,), H)

    def loss(epsilons):
        start = jax.tree.map(lambda s, e: s + e[0], state, epsilons)
        after = jax.tree.map(lambda e: e[1:], epsilons)
        step = perturbed(lj.lstm_step)
        _, hs = lj.scan(step, params, (xs, after), start, resets=resets, **options)
        return (weights * hs).sum()

    return params, xs, state, jax.jit(lambda: adjoint_by_lag(loss, state, T))()


@pytest.mark.parametrize("which", ["at the end", "at every step"])
@pytest.mark.parametrize("restart", [False, True])
def test_the_adjoint_is_the_chain_rule_written_out(which, restart, x64):
    weights = np.random.default_rng(5).normal(size=(T, B, H))
    weights[: T - 1 if which == "at the end" else 0] = 0
    resets = np.zeros((T, B), bool)
    resets[3, 1:] = restart
    params, xs, state, found = profile(weights, jnp.asarray(resets))
    _, kept = adjoints.forward(as_params(params), xs, state, resets)
    expected = adjoints.backward(as_params(params), kept, weights, resets)
    for norms, adjoint in zip(found, expected[:2], strict=True):
        assert norms.shape == (T + 1,)
        assert_close(norms, adjoints.norms_by_lag(adjoint), 1e-12)
    if restart:
        _, other, _ = adjoints.backward(as_params(params), kept, weights, resets & False)
        assert abs(adjoints.norms_by_lag(other) - found.c).max() > 1e-3, "the reset must be seen"


def test_with_a_constant_forget_gate_the_cell_forgets_at_its_pace(x64):
    # With zero weights, h reads nothing, and each step multiplies c by σ(1).
    params = jax.tree.map(np.zeros_like, make_params("lstm", D, H))
    params.bias[H : 2 * H] = 1.0
    state = make_state("lstm", (B,), H)

    def loss(epsilons):
        after = jax.tree.map(lambda e: e[1:], epsilons)
        start = jax.tree.map(lambda s, e: s + e[0], state, epsilons)
        xs = np.zeros((T, B, D))
        return lj.scan(perturbed(lj.lstm_step), params, (xs, after), start)[0].c.sum()

    found = jax.jit(lambda: adjoint_by_lag(loss, state, T))()
    forget = 1 / (1 + np.exp(-1.0))
    assert_close(found.c, np.sqrt(B * H) * forget ** np.arange(T + 1), 1e-12)
    assert_close(found.h, np.zeros(T + 1), 1e-12)


def test_masked_steps_do_not_count(x64):
    weights = np.zeros((T, B, H))
    weights[4] = 1.0
    lengths = jnp.full(B, 5)
    *_, found = profile(weights, None, lengths=lengths)
    assert_close(found.h[:2], np.zeros(2), 1e-15)
    assert (np.asarray(found.h[2:]) > 0).all()


def test_it_agrees_with_adjoints(x64):
    weights = np.random.default_rng(5).normal(size=(T, B, H))
    params, xs, state, found = profile(weights, None)

    def loss(states):
        return (weights * states.h).sum()

    _, expected = jax.jit(lambda xs: adjoints_of(lj.lstm_step, params, xs, state, loss))(xs)
    for norms, adjoint in zip(found, expected, strict=True):
        assert_close(norms, adjoints.norms_by_lag(np.asarray(adjoint)), 1e-12)
