"""A recurrence as a chain of Jacobians, against complex steps through the NumPy cells."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from diagnostics.recurrences import (
    CELLS,
    XS,
    D,
    H,
    T,
    equations_and_shapes,
    largest,
    leaves_of,
    quick,
)
from oracles import jacobians as oracle
from oracles.cells import finite_differences
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.diagnostics import (
    adjoints,
    lyapunov_spectrum,
    product_spectrum,
    step_jacobians,
)
from lstm_jax.diagnostics.linear import (
    check,
    check_lags,
    dense_jacobians,
    linearize,
    random_block,
)

AT = 4  # a single step
FORWARD, BACKWARD = make_xs((3, 6), seed=11), make_xs((3, 6), seed=12)


@cache
def expected(name):
    return oracle.chain(CELLS[name].oracle, leaves_of(CELLS[name].state), XS)


@cache
def found(name):
    cell = CELLS[name]

    def all_of_it(params, xs, state):
        chain = linearize(cell.step, params, xs, state)
        v, u = FORWARD[:, : chain.size], BACKWARD[:, : chain.size]
        return chain.states, dense_jacobians(chain), chain.push(AT, v), chain.pull(AT, u)

    with jax.enable_x64(True):
        return quick(all_of_it)(cell.params, XS, cell.state)


@pytest.mark.parametrize("name", CELLS)
def test_every_jacobian_is_that_of_the_complex_step(name):
    states, jacobians = expected(name)
    assert_close(found(name)[0], states, 1e-14)
    assert_close(found(name)[1], jacobians, 1e-14)
    assert np.abs(jacobians - jacobians.transpose(0, 2, 1)).max() > 0.1


@pytest.mark.parametrize("name", CELLS)
def test_push_and_pull_are_the_jacobian_from_both_sides(name):
    jacobian = expected(name)[1][AT]
    size = len(jacobian)
    v, u = FORWARD[:, :size], BACKWARD[:, :size]
    _, _, pushed, pulled = found(name)
    assert_close(pushed, v @ jacobian.T, 1e-14)
    assert_close(pulled, u @ jacobian, 1e-14)
    # <u, J v> = <Jᵀ u, v>
    assert_close((u * pushed).sum(-1), (pulled * v).sum(-1), 1e-14)


def test_finite_differences(x64):
    cell = CELLS["lstm"]
    step = quick(lambda h, c: jnp.concatenate(cell.step(cell.params, lj.LSTMState(h, c), XS[0])))
    numerical = np.concatenate(finite_differences(step, cell.state), axis=1)
    assert_close(found("lstm")[1][0], numerical, 1e-9)


def test_a_batch_is_vmap_and_float32_follows():
    cell = CELLS["own"]
    params, state = jax.tree.map(lambda a: np.asarray(a, np.float32), (cell.params, cell.state))
    xs = np.stack([XS, XS[::-1]]).astype(np.float32)
    states = jax.tree.map(lambda a: np.stack([a, 0 * a]), state)

    def one(xs, state):
        return step_jacobians(cell.step, params, xs, state)

    actual = quick(jax.vmap(one))(xs, states)
    assert actual.dtype == jnp.float32
    assert_close(actual[0], expected("own")[1], 2e-6)
    zeros = [0 * leaf for leaf in leaves_of(cell.state)]
    assert_close(actual[1], oracle.chain(cell.oracle, zeros, XS[::-1])[1], 2e-6)


def test_states_and_inputs_of_other_pytrees(x64):
    """A scalar leaf, and random keys in xs."""

    def step(params, state, x):
        kept = jax.random.bernoulli(x["key"], 0.5, (2,))
        new = jnp.where(kept, state["v"], params * state["v"] * state["gain"])
        return {"gain": 0.5 * state["gain"] + x["push"], "v": new}

    keys = jax.random.split(jax.random.key(0), 3)
    xs = {"key": keys, "push": np.array([0.1, 0.2, 0.3])}
    state = {"gain": np.array(2.0), "v": np.array([1.0, 3.0])}
    scale = np.array([2.0, 5.0])
    actual = quick(lambda xs: step_jacobians(step, scale, xs, state))(xs)
    gain, v = 2.0, np.array([1.0, 3.0])
    for t in range(3):
        kept = np.asarray(jax.random.bernoulli(keys[t], 0.5, (2,)))
        desired = np.zeros((3, 3))
        desired[0, 0] = 0.5
        desired[1:, 0] = np.where(kept, 0, scale * v)
        desired[1:, 1:] = np.diag(np.where(kept, 1, scale * gain))
        assert_close(actual[t], desired, 1e-15)
        v = np.where(kept, v, scale * gain * v)
        gain = 0.5 * gain + xs["push"][t]


def problem(name, steps, H=6, dtype=np.float32):
    if name == "stack":
        step = lj.stack(lj.lstm_step, lj.gru_step)
        params = make_params("lstm", D, H, dtype=dtype), make_params("gru", H, H, dtype=dtype)
        states = [make_state(cell, (), H, dtype=dtype) for cell in ("lstm", "gru")]
        return step, params, make_xs((steps, D), dtype=dtype), lj.StackState(states)
    params, state = make_params(name, D, H, dtype=dtype), make_state(name, (), H, dtype=dtype)
    return getattr(lj, f"{name}_step"), params, make_xs((steps, D), dtype=dtype), state


ASKED = {
    "linearize": lambda steps, *p: linearize(*p).pull(0, jnp.ones((1, 18))),
    "dense": lambda steps, *p: product_spectrum(*p, lags=[3, steps], method="dense"),
    "matrix-free": lambda steps, *p: product_spectrum(*p, lags=[3, steps], method="matrix-free"),
    "lyapunov": lambda steps, *p: lyapunov_spectrum(*p),
    "adjoints": lambda steps, *p: adjoints(*p, lambda states: states.h[-1].sum()),
}


@pytest.mark.parametrize("asked", ASKED)
def test_time_is_looped_over_in_xla_and_memory_grows_with_steps_times_features(asked):
    counts = []
    for steps in (50, 500):
        step, *arrays = problem("stack", steps)

        def run(params, xs, state, steps=steps, step=step):
            return ASKED[asked](steps, step, params, xs, state)

        count, shapes = equations_and_shapes(run, *arrays)
        counts.append(count)
    assert counts[0] == counts[1]
    # n = 18, and the widest array of a step is four gates of six units: no (T, n, n) is stored.
    assert largest(shapes) <= 500 * 24


def test_memory_as_compiled():
    def temporary(steps):
        step, *arrays = problem("lstm", steps)

        def carried(params, xs, state):
            chain = linearize(step, params, xs, state)

            def pull(i, block):
                return chain.pull(steps - 1 - i, block)

            return jax.lax.fori_loop(0, steps, pull, jnp.ones((1, chain.size)))

        compiled = jax.jit(carried).lower(*arrays).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    few, many = temporary(100), temporary(1100)
    assert 0 < many - few < 1000 * 4 * 12**2  # less than one (n, n) a step


def test_random_blocks_are_orthonormal_rows(x64):
    def run(seed):
        chain = linearize(lambda p, s, x: s, None, np.zeros((1, 1)), np.zeros(5))
        return random_block(jax.random.key(seed), 3, chain)

    blocks = quick(jax.vmap(run))(np.arange(2))
    assert_close(blocks @ blocks.transpose(0, 2, 1), [np.eye(3)] * 2, 1e-15)
    assert np.abs(blocks[0] - blocks[1]).max() > 0.1


def test_lags_by_default_are_a_grid_from_one_step_to_all():
    assert check_lags(None, 1000) == (1, 2, 5, 10, 22, 46, 100, 215, 464, 1000)
    assert check_lags(None, 4) == (1, 2, 3, 4)
    assert check_lags(None, 1) == (1,)
    assert check_lags(np.array([7, 1, 7]), 7) == (7, 1, 7)
    assert check_lags(3, 7) == (3,)


@pytest.mark.parametrize(
    ("lags", "message"),
    [
        ([0, 3], r"lags must lie in \[1, T=7\], got 0 to 3"),
        ([1, 8], r"lags must lie in \[1, T=7\], got 1 to 8"),
        ([], "there are no lags"),
    ],
)
def test_lags_out_of_range(lags, message):
    with pytest.raises(ValueError, match=message):
        check_lags(lags, T)


def bad(message, error, **changes):
    return pytest.param(message, error, changes, id=message)


NAN = np.full((D, 4 * H), np.nan)


@pytest.mark.parametrize(
    ("message", "error", "changes"),
    [
        bad("the state has no arrays", TypeError, state=()),
        bad(r"state\[1\] is int32; .* must be a pytree of floats", TypeError,
            state=(np.zeros(2), np.zeros(2, np.int32))),
        bad("state is complex", TypeError, state=np.zeros(2, complex)),
        bad("xs has no time steps", ValueError, xs=np.zeros((0, D))),
        bad("xs must be leaves with one leading axis T, got {", ValueError,
            xs={"a": np.zeros((3, D)), "b": np.zeros(4)}),
        bad("xs must be leaves with one leading axis T, got {None}", ValueError, xs=1.0),
        bad("xs must be leaves with one leading axis T, got none", ValueError, xs=None),
        bad(r"params.input_kernel must be finite", ValueError,
            params=lj.LSTMParams(NAN, np.zeros((H, 4 * H)), np.zeros(4 * H))),
        bad("xs must be finite", ValueError, xs=np.full((3, D), np.inf)),
        bad("state.c must be finite", ValueError,
            state=lj.LSTMState(np.zeros(H), np.full(H, np.nan))),
        bad(r"the step changed state.h from float32\(3,\) to float32\(2,\)", TypeError,
            step=lambda p, s, x: lj.LSTMState(s.h[:2], s.c)),
        bad("must keep the structure of the state", TypeError, step=lambda p, s, x: (s.h, s.c)),
    ],
)  # fmt: skip
def test_errors_explain_the_mistake(message, error, changes):
    cell = CELLS["lstm"]
    arguments = {"step": cell.step, "params": cell.params, "xs": XS, "state": cell.state} | changes
    with pytest.raises(error, match=message):
        check(**arguments)


def test_under_jit_shapes_are_still_checked():
    cell = CELLS["lstm"]
    with pytest.raises(ValueError, match="xs has no time steps"):
        jax.jit(lambda xs: step_jacobians(cell.step, cell.params, xs, cell.state))(XS[:0])
