"""dL/ds_t by one reverse pass, against the explicit chain of Jacobians."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import CELLS, XS, leaves_of, quick
from oracles import jacobians as oracle
from oracles.cells import as_params, lstm_step
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import adjoints, influence_lag, norms_by_lag

D, H = 2, 4


def rows(tree):
    """Leaves (T + 1, ...) as vectors, (T + 1, n)."""
    return np.concatenate([np.reshape(leaf, (len(leaf), -1)) for leaf in jax.tree.leaves(tree)], 1)


def test_the_explicit_chain_over_300_lags(x64):
    params, state = make_params("lstm", D, H), make_state("lstm", (), H)
    xs = make_xs((300, D)) / 4
    params.recurrent_kernel[:] /= 4
    params.bias[:] = np.repeat([-5.0, 5.5, 0, 0], H)  # remember, and never saturate
    weights = make_xs(H, seed=5)

    def run(params, xs, state):
        return adjoints(lj.lstm_step, params, xs, state, lambda states: states.h[-1] @ weights)

    loss, found = quick(run)(params, xs, state)
    states, jacobians = oracle.chain(partial(lstm_step, as_params(params)), state, xs)
    direct = np.zeros((300, 2 * H))
    direct[-1, :H] = weights
    expected = oracle.adjoints(jacobians, direct)
    assert_close(loss, states[-1, :H] @ weights, 1e-14)
    assert found.h.shape == found.c.shape == (301, H)
    error = np.linalg.norm(rows(found) - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error[-1] == 0
    assert error.max() < 3e-15


@pytest.mark.parametrize("name", CELLS)
def test_every_cell(name, x64):
    cell = CELLS[name]
    weights = jax.tree.map(lambda a: make_xs((len(XS), *np.shape(a)), seed=5), cell.state)

    def loss(states):
        parts = jax.tree.map(lambda s, w: (w * s**2).sum(), states, weights)
        return sum(jax.tree.leaves(parts))

    value, found = quick(partial(adjoints, cell.step, loss=loss))(cell.params, XS, cell.state)
    states, jacobians = oracle.chain(cell.oracle, leaves_of(cell.state), XS)
    direct = 2 * rows(weights) * states[1:]
    assert_close(value, (rows(weights) * states[1:] ** 2).sum(), 1e-14)
    assert jax.tree.structure(found) == jax.tree.structure(cell.state)
    assert_close(rows(found), oracle.adjoints(jacobians, direct), 1e-14)


T, B = 6, 4
RESETS = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0] * 4])
MASK = np.array([[1, 1, 1, 1], [0, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1] * 4])
LENGTHS = np.array([T, T, 4, 0])


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_masks_lengths_and_resets(reverse, x64):
    params, state = make_params("lstm", D, 3), make_state("lstm", (B,), 3)
    xs, initial = make_xs((T, B, D)), make_state("lstm", (), 3, seed=9)
    weights = make_xs((2, T, B, 3), seed=5)
    options = {
        "mask": MASK.astype(bool), "resets": RESETS.astype(bool), "lengths": LENGTHS,
        "initial": initial, "reverse": reverse,
    }  # fmt: skip

    def loss(states):
        return (weights[0] * states.h**2 + weights[1] * states.c**2).sum()

    _, found = quick(partial(adjoints, lj.lstm_step, loss=loss, **options))(params, xs, state)
    step = partial(lstm_step, as_params(params))
    order = list(range(T))[:: -1 if reverse else 1]
    for b in range(B):
        now = [s[b] for s in state]
        jacobians, direct, links, valid = [], [], [], []
        for t in order:
            # Backward, a segment is entered at the step before the next segment.
            starts = (RESETS[t + 1, b] if t + 1 < T else 0) if reverse else RESETS[t, b]
            now = list(initial) if starts else now
            valid.append(MASK[t, b] and t < LENGTHS[b])
            jacobians.append(oracle.jacobian(step, now, xs[t, b]))
            now = step(now, xs[t, b]) if valid[-1] else now
            links.append(1 - starts)
            direct.append(2 * oracle.ravel(weights[:, t, b]) * oracle.ravel(now) * valid[-1])
        expected = oracle.adjoints(np.array(jacobians), np.array(direct), links=links, valid=valid)
        assert_close(rows([found.h[:, b], found.c[:, b]]), expected, 1e-14)
    assert (found.h[0, 2] == 0).all() != reverse  # the reset at its first step
    assert not any(leaf[:, 3].any() for leaf in found)  # no steps at all


def test_float32_stays_and_keys_ride_along():
    cell = CELLS["lstm"]
    params, state = jax.tree.map(lambda a: np.asarray(a, np.float32), (cell.params, cell.state))
    xs = {"x": XS.astype(np.float32), "key": jax.random.split(jax.random.key(0), len(XS))}

    def step(params, state, x):
        new = lj.lstm_step(params, state, x["x"])
        kept = jax.random.bernoulli(x["key"], 0.5, (3,))
        return lj.LSTMState(jnp.where(kept, state.h, new.h), new.c)

    _, found = quick(partial(adjoints, step, loss=lambda s: s.h[-1].sum()))(params, xs, state)
    assert found.h.dtype == found.c.dtype == jnp.float32
    np.testing.assert_array_equal(found.h[-1], np.ones(3))
    assert all((leaf != 0).any(1).all() for leaf in found[:1])


def test_norms_by_lag(x64):
    found = lj.LSTMState(*make_xs((2, 5, 3, 4)))  # five states of three sequences of four units
    batch = quick(norms_by_lag)(found)
    sequence, unit = quick(lambda f: [norms_by_lag(f, per=p) for p in ("sequence", "unit")])(found)
    for field in ("h", "c"):
        backwards = getattr(found, field)[::-1]
        assert_close(getattr(unit, field), np.abs(backwards), 0)
        assert_close(getattr(sequence, field), np.sqrt((backwards**2).sum(2)), 1e-15)
        assert_close(getattr(batch, field), np.sqrt((backwards**2).sum((1, 2))), 1e-15)


@cache
def compiled(fraction):
    return quick(lambda norms: influence_lag(norms, fraction))


@pytest.mark.parametrize(
    ("norms", "fraction", "lag"),
    [
        ([1.0, 0.5, 0.2, 0.05, 0.01], 0.1, 3),
        ([1.0, 0.5, 0.2, 0.05, 0.01], 0.01, 5),  # at the fraction itself is not below
        ([1.0, 0.5, 0.2, 0.05, 0.01], 0.001, 5),  # T + 1: never
        ([10.0, 0.5, 7.0, 0.05, 0.01], 0.1, 3),  # it rises again at lag 2
        ([10.0, 0.9, 0.7, 0.05, 0.01], 0.1, 1),
        ([1.0, 2.0, 3.0, 2.0, 4.0], 0.9, 5),
        ([0.0, 0.5, 0.2, 0.04, 0.01], 0.1, 3),  # c, where the loss reads h alone
        ([0.0, 0.0, 0.0], 0.1, 0),  # the loss depends on nothing
    ],
)
def test_influence_lag(norms, fraction, lag):
    found = compiled(fraction)(np.array(norms))
    assert found.shape == ()
    assert jnp.issubdtype(found.dtype, jnp.integer)
    assert found == lag


def test_errors_explain_the_mistake():
    cell = CELLS["lstm"]
    ask = partial(adjoints, cell.step)

    def last(states):
        return states.h[-1].sum()

    with pytest.raises(ValueError, match=r"the loss must be a scalar, got shape \(7, 3\)"):
        ask(cell.params, XS, cell.state, lambda states: states.h)
    with pytest.raises(ValueError, match="xs has no time steps"):
        ask(cell.params, XS[:0], cell.state, last)
    with pytest.raises(ValueError, match=r"params.bias must be finite"):
        ask(lj.LSTMParams(np.ones((2, 12)), np.ones((3, 12)), np.full(12, np.nan)), XS,
            cell.state, last)  # fmt: skip
    with pytest.raises(TypeError, match=r"state.c is int32; .* pytree of floats"):
        ask(cell.params, XS, cell.state._replace(c=np.zeros(3, np.int32)), last)
    with pytest.raises(TypeError, match="the state has no arrays"):
        ask(cell.params, XS, (), last)
    with pytest.raises(ValueError, match='per must be "batch", "sequence" or "unit", got \'step\''):
        norms_by_lag(cell.state, per="step")
    for fraction in (0, 1, -0.5):
        with pytest.raises(ValueError, match=rf"fraction must lie in \(0, 1\), got {fraction}"):
            influence_lag(jnp.ones(3), fraction)


def test_norms_of_adjoints_whose_squares_underflow():
    tiny = np.full((3, 2, 4), 1e-30, np.float32)
    np.testing.assert_allclose(norms_by_lag(tiny), 1e-30 * np.sqrt(8), rtol=1e-6)
    np.testing.assert_allclose(norms_by_lag(tiny, per="sequence"), 2e-30, rtol=1e-6)
    np.testing.assert_array_equal(norms_by_lag(np.zeros((3, 4), np.float32)), 0)
