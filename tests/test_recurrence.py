from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from oracles import cells as oracle
from problems import CELLS, assert_close, make_params, make_state, make_xs

from lstm_jax import (
    GRUState,
    LSTMState,
    RNNState,
    StackState,
    Trace,
    gru_step,
    lstm_gates,
    lstm_step,
    rnn_step,
    scan,
    stack,
    trace,
)

T, B, D, H = 4, 3, 2, 3

# Rows: gaps and a masked reset; padding; valid to the end with a reset at the first step.
MASK = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
RESETS = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]], bool)
LENGTHS = np.array([T, 0, 3])
CONTROLS = {
    "plain": {},
    "mask": {"mask": MASK},
    "lengths": {"lengths": LENGTHS},
    "resets": {"resets": RESETS},
    "all": {"mask": MASK, "lengths": LENGTHS, "resets": RESETS},
}


def problem(cell="lstm", dtype=np.float64, T=T, batch=(B,), H=H):
    params = make_params(cell, D, H, dtype=dtype)
    state = make_state(cell, batch, H, dtype=dtype)
    return params, make_xs((T, *batch, D), dtype=dtype), state


def learned(cell="lstm", H=H, dtype=np.float64):
    return make_state(cell, (), H, seed=9, dtype=dtype)


def oracle_run(cell, params, xs, state, **options):
    return oracle.run(cell, oracle.as_params(params), xs, state, **options)


def assert_tree_close(actual, desired, tolerance=1e-13):
    actual, desired = jax.tree.leaves(actual), jax.tree.leaves(desired)
    assert len(actual) == len(desired)
    for a, d in zip(actual, desired, strict=True):
        assert_close(a, np.asarray(d), tolerance)


def jitted_scan(params, xs, state, step=lstm_step, **options):
    return jax.jit(lambda p, x, s: scan(step, p, x, s, **options))(params, xs, state)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("controls", CONTROLS)
def test_lstm_over_time_is_the_loop(controls, reverse, x64):
    options = CONTROLS[controls] | {"reverse": reverse}
    if "resets" in options:
        options["initial"] = learned()
    arguments = problem()
    final, hs = jitted_scan(*arguments, **options)
    desired_final, desired_hs, _ = oracle_run("lstm", *arguments, **options)
    assert isinstance(final, LSTMState)
    assert_tree_close(final, desired_final)
    assert_close(hs, desired_hs, 1e-13)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_other_cells_over_time_are_the_loop(cell, reverse, x64):
    options = CONTROLS["all"] | {"reverse": reverse}
    arguments = problem(cell)
    actual = jitted_scan(*arguments, step=CELLS[cell].step, **options)
    assert_tree_close(actual, oracle_run(cell, *arguments, **options)[:2])


def test_zeros_are_the_default_after_a_reset_and_float32_follows():
    arguments = problem(dtype=np.float32)
    actual = jitted_scan(*arguments, **CONTROLS["all"])
    assert all(a.dtype == np.float32 for a in jax.tree.leaves(actual))
    assert_tree_close(actual, oracle_run("lstm", *arguments, **CONTROLS["all"])[:2], 1e-6)


@pytest.mark.parametrize("batch", [(), (2, 2)])
def test_no_batch_axis_and_two(batch, x64):
    rng = np.random.default_rng(3)
    options = {
        "mask": rng.random((T, *batch)) < 0.7,
        "resets": rng.random((T, *batch)) < 0.4,
        "lengths": rng.integers(0, T + 1, batch),
        "initial": learned(),
    }
    arguments = problem(batch=batch)
    actual = jitted_scan(*arguments, **options)
    assert_tree_close(actual, oracle_run("lstm", *arguments, **options)[:2])


@pytest.mark.parametrize("unroll", [2, True])
def test_unrolling_changes_nothing(unroll, x64):
    options = CONTROLS["all"] | {"initial": learned()}
    arguments = problem(T=3)
    options = {k: v[:3] if k in ("mask", "resets") else v for k, v in options.items()}
    options["lengths"] = np.array([3, 0, 2])
    actual = jitted_scan(*arguments, unroll=unroll, **options)
    assert_tree_close(actual, oracle_run("lstm", *arguments, **options)[:2])


def test_a_mask_for_the_whole_batch(x64):
    arguments = problem()
    alone = {"mask": MASK[:, 0], "resets": RESETS[:, 0]}
    repeated = {k: np.repeat(v[:, None], B, axis=1) for k, v in alone.items()}
    assert_tree_close(
        jitted_scan(*arguments, **alone), oracle_run("lstm", *arguments, **repeated)[:2]
    )


def test_emit_chooses_what_is_stacked(x64):
    params, xs, state = problem()

    def emit(params, old_state, x, new_state):
        return {"old": old_state.c, "x": x, "new": new_state, "bias": params.bias[0]}

    _, ys = jitted_scan(params, xs, state, emit=emit)
    _, _, (hs, cs) = oracle_run("lstm", params, xs, state)
    assert_close(ys["old"], np.concatenate([state.c[None], cs[:-1]]), 1e-13)
    assert_close(ys["x"], xs, 1e-13)
    assert_tree_close(ys["new"], (hs, cs))
    assert_close(ys["bias"], np.full(T, params.bias[0]), 1e-13)

    final, nothing = jitted_scan(params, xs, state, emit=None, mask=MASK)
    assert nothing is None
    assert_tree_close(final, oracle_run("lstm", params, xs, state, mask=MASK)[0])


def test_masked_outputs_are_zero_whatever_is_emitted():
    params, xs, state = problem(dtype=np.float32)

    def emit(params, old_state, x, new_state):
        return {"c": new_state.c, "count": jnp.ones(B, jnp.int32)}

    _, ys = jitted_scan(params, xs, state, emit=emit, mask=MASK)
    np.testing.assert_array_equal(ys["count"], MASK)
    assert (np.asarray(ys["c"])[~MASK] == 0).all()
    assert (np.asarray(ys["c"])[MASK] != 0).all()


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_trace_keeps_every_state_and_gate(reverse, x64):
    params, xs, state = problem()
    options = {"resets": RESETS, "initial": learned(), "reverse": reverse}
    run = jax.jit(lambda *a: trace(lstm_step, *a, gates=lstm_gates, **options))
    final, (states, gates) = run(params, xs, state)
    desired_final, _, desired = oracle_run("lstm", params, xs, state, **options)
    assert_tree_close(final, desired_final)
    assert_tree_close(states, desired)
    # c_t = f_t c_{t-1} + i_t g_t from the gates the oracle sees at the state before.
    order = range(T)[::-1] if reverse else range(T)
    for b in range(B):
        h = state.h[b]
        for t in order:
            starts = t + 1 < T and RESETS[t + 1, b] if reverse else RESETS[t, b]
            h = learned().h if starts else h
            desired_gates = oracle.lstm_gates(oracle.as_params(params), h, xs[t, b])
            assert_tree_close([gate[t, b] for gate in gates], desired_gates)
            h = desired[0][t, b]


def test_trace_without_gates():
    params, xs, state = problem(dtype=np.float32)
    kept = jax.eval_shape(lambda *a: trace(lstm_step, *a), params, xs, state)[1]
    assert isinstance(kept, Trace)
    assert kept.gates is None
    assert kept.states.c.shape == (T, B, H)


def weighted(result, seed=4):
    """A scalar that depends nonlinearly on every element of a result."""
    rng = np.random.default_rng(seed)
    return sum((rng.normal(size=a.shape) * a * (1 + a)).sum() for a in jax.tree.leaves(result))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_derivatives_through_time_are_the_loops(cell, reverse, x64):
    params, xs, state = problem(cell, H=2)
    initial = learned(cell, H=2)
    options = CONTROLS["all"] | {"reverse": reverse}
    leaves, tree = jax.tree.flatten((params, xs, state, initial))
    names, width = [n for n, a in vars(params).items() if a is not None], len(state)

    def ours(*leaves):
        params, xs, state, initial = jax.tree.unflatten(tree, leaves)
        return weighted(scan(CELLS[cell].step, params, xs, state, initial=initial, **options))

    def loop(*leaves):
        params, (xs, *states) = dict(zip(names, leaves, strict=False)), leaves[len(names) :]
        out = oracle.run(cell, params, xs, states[:width], initial=states[width:], **options)
        return weighted(out[:2])

    numerical = oracle.finite_differences(loop, leaves)
    differentiate = jax.jacfwd if reverse else jax.jacrev
    actual = jax.jit(differentiate(ours, tuple(range(len(leaves)))))(*leaves)
    for a, n in zip(actual, numerical, strict=True):
        assert np.abs(n).max() > 1e-2
        assert_close(a, n, 1e-7)


def test_hessian_through_time(x64):
    params, xs, state = problem(T=2, batch=(), H=1)
    leaves, tree = jax.tree.flatten((params, xs, state))
    sizes = np.cumsum([0] + [a.size for a in leaves])

    def loss(vector):
        parts = [vector[a:b] for a, b in pairwise(sizes)]
        parts = [p.reshape(a.shape) for p, a in zip(parts, leaves, strict=True)]
        resets = np.array([False, True])
        return weighted(scan(lstm_step, *jax.tree.unflatten(tree, parts), resets=resets))

    at = np.concatenate([a.ravel() for a in leaves])
    hessian = np.asarray(jax.jit(jax.hessian(loss))(at))
    gradient = jax.jit(jax.grad(loss))
    (numerical,) = oracle.finite_differences(lambda v: np.asarray(gradient(v)), [at])
    assert_close(hessian, numerical, 1e-8)
    assert_close(hessian, hessian.T, 1e-13)


def test_vmap_is_a_batch_axis(x64):
    params, xs, state = problem()
    controls = CONTROLS["all"]
    axes = {"mask": 1, "resets": 1, "lengths": 0}

    def one(xs, state, controls):
        return scan(lstm_step, params, xs, state, **controls)

    mapped = jax.jit(jax.vmap(one, in_axes=(1, 0, axes), out_axes=(0, 1)))
    assert_tree_close(
        mapped(xs, state, controls), oracle_run("lstm", params, xs, state, **controls)[:2]
    )


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_nan_in_the_padding_reaches_nothing(reverse):
    params, xs, state = problem(dtype=np.float32)
    valid = MASK & (np.arange(T)[:, None] < LENGTHS)
    dirty = np.where(valid[..., None], xs, np.nan)

    @jax.jit
    def run(params, xs, state):
        result = scan(
            lstm_step, params, xs, state, mask=MASK, lengths=LENGTHS, reverse=reverse,
        )  # fmt: skip
        return weighted(result), result

    differentiate = jax.value_and_grad(run, (0, 1, 2), has_aux=True)
    clean, stained = differentiate(params, xs, state), differentiate(params, dirty, state)
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(stained))
    jax.tree.map(np.testing.assert_array_equal, clean, stained)
    dxs = np.asarray(stained[1][1])
    assert (dxs[~valid] == 0).all()
    assert (dxs[valid] != 0).all()


def test_length_zero_returns_the_state():
    params, xs, state = problem(dtype=np.float32)

    def run(xs, state):
        return scan(lstm_step, params, xs, state, lengths=LENGTHS)

    (final, hs), pull = jax.vjp(jax.jit(run), xs, state)
    np.testing.assert_array_equal(final.h[1], state.h[1])
    np.testing.assert_array_equal(final.c[1], state.c[1])
    assert (np.asarray(hs)[:, 1] == 0).all()
    dxs, dstate = pull((jax.tree.map(jnp.ones_like, final), jnp.ones_like(hs)))
    assert (np.asarray(dxs)[:, 1] == 0).all()
    assert (np.asarray(dstate.c)[1] == 1).all()


def test_a_reset_at_the_first_step_forgets_the_state_and_learns_the_initial_one():
    params, xs, state = problem(dtype=np.float32)
    start = learned(dtype=np.float32)

    @jax.jit
    def loss(state, initial, resets):
        return weighted(scan(lstm_step, params, xs, state, initial=initial, resets=resets))

    gradient = jax.grad(loss, (0, 1))
    never = np.zeros((T, B), bool)
    first = never.copy()
    first[0] = True
    dstate, dinitial = gradient(state, start, first)
    assert all((np.asarray(a) == 0).all() for a in dstate)
    assert all((np.asarray(a) != 0).all() for a in dinitial)
    assert dinitial.h.shape == (H,)
    dstate, dinitial = gradient(state, start, never)
    assert all((np.asarray(a) != 0).all() for a in dstate)
    assert all((np.asarray(a) == 0).all() for a in dinitial)
    # NaN in a state that a reset discards does not remain.
    stained = jax.tree.map(lambda a: np.full_like(a, np.nan), state)
    assert np.isfinite(loss(stained, start, first))


def test_initial_takes_the_dtype_of_the_state():
    params, xs, state = problem(dtype=np.float32)
    low = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), state)
    final = jax.eval_shape(
        lambda: scan(lstm_step, params, xs, low, initial=learned(dtype=np.float32), resets=RESETS)
    )[0]
    assert final.h.dtype == jnp.bfloat16


def test_known_lengths_under_jit_are_still_checked():
    params, xs, state = problem(dtype=np.float32)
    traced = jax.jit(lambda n: scan(lstm_step, params, xs, state, lengths=n))(LENGTHS)
    jax.tree.map(
        np.testing.assert_array_equal,
        traced,
        jax.jit(lambda: scan(lstm_step, params, xs, state, lengths=jnp.asarray(LENGTHS)))(),
    )
    with pytest.raises(ValueError, match="lengths"):
        jax.jit(lambda: scan(lstm_step, params, xs, state, lengths=LENGTHS + 1))()


def test_xs_is_any_pytree(x64):
    params, xs, state = problem()
    keys = jax.random.split(jax.random.key(0), T)
    push = make_xs((T, B, H), seed=8)

    def step(params, state, x):
        new = lstm_step(params, state, x["x"])
        kept = jax.random.bernoulli(x["key"], 0.5, (H,))
        return LSTMState(jnp.where(kept, state.h, new.h), new.c + x["push"])

    inputs = {"x": xs, "key": keys, "push": push}
    final, hs = jitted_scan(params, inputs, state, step=step, mask=MASK)
    h, c = state
    for t in range(T):
        new_h, new_c = oracle.batched_step("lstm", oracle.as_params(params), (h, c), xs[t])
        kept = np.asarray(jax.random.bernoulli(keys[t], 0.5, (H,)))
        valid = MASK[t][:, None]
        h, c = (
            np.where(valid, np.where(kept, h, new_h), h),
            np.where(valid, new_c + push[t], c),
        )
        assert_close(hs[t], np.where(valid, h, 0), 1e-13)
    assert_tree_close(final, (h, c))


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_no_steps_return_the_state(reverse):
    params, xs, state = problem(dtype=np.float32, T=0)
    empty = np.zeros((0, B), bool)
    final, hs = jitted_scan(
        params, xs, state, mask=empty, resets=empty, lengths=np.zeros(B, int), reverse=reverse
    )
    assert hs.shape == (0, B, H)
    jax.tree.map(np.testing.assert_array_equal, final, state)


def test_a_stack_is_its_layers_one_after_the_other(x64):
    bottom, xs, state = problem()
    top = make_params("lstm", H, H, seed=20)
    states = StackState((state, make_state("lstm", (B,), H, seed=21)))
    options = CONTROLS["all"]
    final, hs = jitted_scan((bottom, top), xs, states, step=stack(lstm_step, lstm_step), **options)
    middle, middle_hs, _ = oracle_run("lstm", bottom, xs, states[0], **options)
    upper, upper_hs, _ = oracle_run("lstm", top, middle_hs, states[1], **options)
    assert_close(hs, upper_hs, 1e-13)
    assert isinstance(final, StackState)
    assert_tree_close(final, (middle, upper))


def test_a_stack_of_different_cells(x64):
    params = (make_params("rnn", D, 2), make_params("gru", 2, 4), make_params("lstm", 4, H))
    states = StackState(
        make_state(cell, (B,), size) for cell, size in (("rnn", 2), ("gru", 4), ("lstm", H))
    )
    xs = make_xs((T, B, D))
    final, hs = jitted_scan(params, xs, states, step=stack(rnn_step, gru_step, lstm_step))
    assert [type(s) for s in final] == [RNNState, GRUState, LSTMState]
    for cell, p, s in zip(("rnn", "gru", "lstm"), params, states, strict=True):
        _, xs, _ = oracle_run(cell, p, xs, s)
    assert_close(hs, xs, 1e-13)


def test_the_state_of_a_stack_is_a_pytree():
    states = StackState((RNNState(jnp.zeros(2)), LSTMState(jnp.ones(3), jnp.ones(3))))
    doubled = jax.tree.map(lambda a: 2 * a, states)
    assert type(doubled) is StackState
    assert (doubled.h == 2).all()
    assert len(doubled) == 2
    assert doubled.h is doubled[1].h
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(states)]
    assert paths == ["[0].h", "[1].h", "[1].c"]


class LeakyState(NamedTuple):
    h: Array
    steps: Array


def leaky_step(params, state, x):
    """A custom cell: a leaky integrator that counts its steps."""
    h = params["leak"] * state.h + jnp.tanh(x @ params["kernel"])
    return LeakyState(h, state.steps + 1)


def test_a_custom_cell(x64):
    params = {"leak": np.array(0.5), "kernel": make_xs((D, H))}
    xs = make_xs((T, B, D))
    state = LeakyState(np.zeros((B, H)), np.zeros(B, np.int32))
    final, hs = jitted_scan(params, xs, state, step=leaky_step, mask=MASK, resets=RESETS)
    h, steps = np.zeros((B, H)), np.zeros(B, int)
    for t in range(T):
        h, steps = np.where(RESETS[t][:, None], 0, h), np.where(RESETS[t], 0, steps)
        new_h = 0.5 * h + np.tanh(xs[t] @ params["kernel"])
        h = np.where(MASK[t][:, None], new_h, h)
        steps = steps + MASK[t]
        assert_close(hs[t], np.where(MASK[t][:, None], h, 0), 1e-13)
    np.testing.assert_array_equal(final.steps, steps)

    def last_h(leak):
        p = {"leak": leak, "kernel": params["kernel"]}
        return scan(leaky_step, p, xs, state, mask=MASK, emit=None)[0].h.sum()

    slope = jax.jit(jax.jacfwd(last_h))(0.5)
    (numerical,) = oracle.finite_differences(jax.jit(last_h), [np.array(0.5)])
    assert_close(slope, numerical, 1e-8)


def bad(message, error, **changes):
    return pytest.param(message, error, changes, id=message)


@pytest.mark.parametrize(
    ("message", "error", "changes"),
    [
        bad("xs disagree on the number of steps", ValueError,
            xs={"a": np.zeros((T, B, D)), "b": np.zeros(T + 1)}),
        bad(r"xs\['b'\] is a scalar", ValueError, xs={"a": np.zeros((T, B, D)), "b": 1.0}),
        bad("xs has no arrays", ValueError, xs=None),
        bad("mask must be boolean, got float32", TypeError, mask=np.ones((T, B), np.float32)),
        bad("resets must be boolean, got int32", TypeError, resets=np.ones((T, B), np.int32)),
        bad("mask must have the leading time axis T=4", ValueError, mask=np.ones((B, T), bool)),
        bad(r"mask must be \(T, 3\)", ValueError, mask=np.ones((T, 2), bool)),
        bad(r"resets must be \(T, 3\)", ValueError, resets=np.ones((T, 2), bool)),
        bad("lengths must be integers, got float32", TypeError, lengths=np.ones(B, np.float32)),
        bad(r"lengths must lie in \[0, T=4\], got -1 to 2", ValueError,
            lengths=np.array([-1, 0, 2])),
        bad(r"lengths must lie in \[0, T=4\], got 0 to 5", ValueError,
            lengths=np.array([5, 0, 2])),
        bad("mask has shape .* lengths of shape", ValueError,
            mask=np.ones((T, B), bool), lengths=np.ones(2, int)),
        bad("initial must have the structure of state", ValueError, initial=np.zeros(H)),
        bad(r"step changed state.c from float32\(3, 3\) to bfloat16", TypeError,
            step=lambda p, s, x: LSTMState(s.h, s.c.astype(jnp.bfloat16))),
        bad(r"step changed state.h from float32\(3, 3\) to float32\(3, 2\)", TypeError,
            step=lambda p, s, x: LSTMState(s.h[:, :2], s.c)),
        bad("must keep the structure of the state", TypeError, step=lambda p, s, x: (s.h, s.c)),
        bad(r"a tuple without an attribute h; .* such as LSTMState\(h, c\)", TypeError,
            state=(np.zeros((B, H), np.float32),) * 2),
        bad("without an attribute h", TypeError,
            step=lambda p, s, x: s, state={"a": np.zeros((B, H), np.float32)}),
    ],
)  # fmt: skip
def test_errors_name_the_argument(message, error, changes):
    params, xs, state = problem(dtype=np.float32)
    changes = {"step": lstm_step, "params": params, "xs": xs, "state": state} | changes
    with pytest.raises(error, match=message):
        scan(**changes)


def test_errors_of_stack():
    params, xs, state = problem(dtype=np.float32)
    with pytest.raises(ValueError, match="at least one step"):
        stack()
    with pytest.raises(ValueError, match=r"2 steps needs .* got 1 params and 2 states"):
        scan(stack(lstm_step, lstm_step), (params,), xs, StackState((state, state)))
    with pytest.raises(ValueError, match=r"1 steps needs .* got 1 params and 2 states"):
        scan(stack(lstm_step), (params,), xs, StackState((state, state)))
