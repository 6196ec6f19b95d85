"""Every option of the cells against loops over single units, alone and together."""

from dataclasses import fields, is_dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import options as oracle
from oracles.cells import finite_differences
from problems import assert_close, make_xs

import lstm_jax as lj

D, H, P = 2, 3, 4
T, B = 4, 2
RNG = np.random.default_rng

OPTIONS = {
    "nothing": {},
    "no bias": {"bias": False},
    "peepholes": {"peepholes": True},
    "coupled": {"coupled": True},
    "projection": {"projection_features": P},
    "layer norm": {"layer_norm": True},
    "coupled peepholes": {"coupled": True, "peepholes": True},
    "all": {"bias": False, "peepholes": True, "coupled": True, "projection_features": P,
            "layer_norm": True},
}  # fmt: skip


def as_mapping(params):
    """Nested mappings of float64 arrays, without what is None."""
    given = {f.name: getattr(params, f.name) for f in fields(params)}
    return {
        name: as_mapping(a) if is_dataclass(a) else np.asarray(a, np.float64)
        for name, a in given.items()
        if a is not None
    }


def noisy(init, seed=3, **options):
    """The parameters of `init` with all arrays random, including those that start constant."""
    rng = RNG(seed)
    like = jax.eval_shape(partial(init, in_features=D, hidden_features=H, dtype=np.float64,
                                  **options), jax.random.key(0))  # fmt: skip
    return jax.tree.map(lambda a: rng.normal(scale=0.7, size=a.shape), like)


def make_lstm(options):
    params = noisy(lj.init_lstm, **options)
    rng = RNG(1)
    widths = params.recurrent_kernel.shape[0], params.hidden_features
    return params, lj.LSTMState(*(rng.normal(size=(B, width)) for width in widths))


def by_rows(step, params, state, x):
    rows = [step(as_mapping(params), [s[b] for s in state], x[b]) for b in range(len(x))]
    return [np.stack(leaf) for leaf in zip(*rows, strict=True)]


@pytest.mark.parametrize("name", OPTIONS)
def test_an_lstm_with_options_is_the_loop(name, x64):
    params, state = make_lstm(OPTIONS[name])
    x = make_xs((B, D))
    actual = jax.jit(lj.lstm_step)(params, state, x)
    for a, expected in zip(actual, by_rows(oracle.lstm_step, params, state, x), strict=True):
        assert_close(a, expected, 1e-13)


@settings(max_examples=25, deadline=None)
@given(st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(1, 5), st.booleans())
def test_options_compose(bias, peepholes, coupled, projection, norm):
    with jax.enable_x64(True):
        params, state = make_lstm({
            "bias": bias, "peepholes": peepholes, "coupled": coupled,
            "projection_features": projection, "layer_norm": norm,
        })  # fmt: skip
        assert params.input_kernel.shape == (D, (3 if coupled else 4) * H)
        x = make_xs((B, D))
        actual = lj.lstm_step(params, state, x)
        for a, expected in zip(actual, by_rows(oracle.lstm_step, params, state, x), strict=True):
            assert_close(a, expected, 1e-13)


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "nothing"])
def test_derivatives_through_time_are_finite_differences(name, x64):
    params, state = make_lstm(OPTIONS[name])
    xs = make_xs((T, B, D))
    leaves, tree = jax.tree.flatten((params, state, xs))
    rng = RNG(7)
    weights = rng.normal(size=(T, B, state.h.shape[-1]))

    def ours(implementation, *leaves):
        params, state, xs = jax.tree.unflatten(tree, leaves)
        final, hs = lj.lstm(params, xs, state, implementation=implementation)
        return (weights * hs**2).sum() + (final.c**3).sum()

    def loop(*leaves):
        params, state, xs = jax.tree.unflatten(tree, leaves)
        total = 0.0
        for x, weight in zip(xs, weights, strict=True):
            state = by_rows(oracle.lstm_step, params, state, x)
            total += (weight * state[0] ** 2).sum()
        return total + (state[1] ** 3).sum()

    numerical = finite_differences(loop, leaves)
    for implementation in ["scan"] if params.norm is not None else ["scan", "fused"]:
        function = partial(ours, implementation)
        gradient = jax.jit(jax.grad(function, tuple(range(len(leaves)))))(*leaves)
        for actual, expected in zip(gradient, numerical, strict=True):
            assert_close(actual, expected, 2e-8)


def test_gates_are_those_of_the_step(x64):
    params, state = make_lstm(OPTIONS["coupled peepholes"])
    x = make_xs((B, D))
    gates = lj.lstm_gates(params, state, x)
    new = lj.lstm_step(params, state, x)
    assert_close(gates.i, 1 - np.asarray(gates.f), 1e-15)
    assert_close(new.c, np.asarray(gates.f * state.c + gates.i * gates.g), 1e-15)
    assert_close(new.h, np.asarray(gates.o * jnp.tanh(new.c)), 1e-15)


def test_activations_to_choose(x64):
    params, state = make_lstm({})
    x = make_xs((B, D))
    hard = lj.LSTMActivations(jax.nn.hard_sigmoid, jax.nn.soft_sign, lambda c: c)
    step = partial(lj.lstm_step, activations=hard)
    expected = by_rows(
        partial(oracle.lstm_step, gate=lambda a: np.clip(a / 6 + 0.5, 0, 1),
                candidate=lambda a: a / (1 + abs(a)), cell=lambda c: c),
        params, state, x,
    )  # fmt: skip
    for actual, wanted in zip(step(params, state, x), expected, strict=True):
        assert_close(actual, wanted, 1e-13)
    assert_close(
        lj.lstm(params, x[None], state, activations=hard, implementation="fused")[0].h,
        expected[0], 1e-13,
    )  # fmt: skip
    rnn = noisy(lj.init_rnn)
    h = lj.rnn(rnn, x[None], lj.RNNState(state.h), activation=jax.nn.relu)[0].h
    z = x @ rnn.input_kernel + state.h @ rnn.recurrent_kernel + rnn.bias
    assert_close(h, np.maximum(np.asarray(z), 0), 1e-13)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", ["gru before", "mgu"])
def test_the_other_gated_cells_are_the_loops(cell, bias, x64):
    if cell == "mgu":
        params = noisy(lj.init_mgu, bias=bias)
        step, textbook = lj.mgu_step, oracle.mgu_step
    else:
        params = noisy(lj.init_gru, bias=bias, recurrent_bias=False)
        step, textbook = partial(lj.gru_step, reset_after=False), oracle.gru_before_step
    state, x = lj.GRUState(RNG(1).normal(size=(B, H))), make_xs((B, D))
    actual = jax.jit(step)(params, state, x)
    assert_close(actual.h, by_rows(textbook, params, state, x)[0], 1e-13)
    leaves, tree = jax.tree.flatten((params, state, x))

    def ours(*leaves):
        return (step(*jax.tree.unflatten(tree, leaves)).h ** 3).sum()

    def loop(*leaves):
        return (by_rows(textbook, *jax.tree.unflatten(tree, leaves))[0] ** 3).sum()

    gradient = jax.jit(jax.grad(ours, tuple(range(len(leaves)))))(*leaves)
    for a, expected in zip(gradient, finite_differences(loop, leaves), strict=True):
        assert_close(a, expected, 1e-8)


# --- unused options cost nothing ------------------------------------------------------------------


def textbook_lstm(params, xs, state):
    """The plain LSTM, written out."""

    def body(state, x):
        z = x @ params.input_kernel + state.h @ params.recurrent_kernel + params.bias
        i, f, g, o = jnp.split(z, 4, axis=-1)
        f, g = jax.nn.sigmoid(f), jnp.tanh(g)
        c = f * state.c + jax.nn.sigmoid(i) * g
        new = lj.LSTMState(jax.nn.sigmoid(o) * jnp.tanh(c), c)
        return new, new.h

    return jax.lax.scan(body, state, xs)


def primitives(function, *arguments):
    """The names of the operations of a program's only loop."""
    [loop] = [e for e in jax.make_jaxpr(function)(*arguments).eqns if e.primitive.name == "scan"]
    return sorted(e.primitive.name for e in loop.params["jaxpr"].eqns)


def test_the_program_of_the_plain_lstm_is_the_textbooks():
    params = lj.init_lstm(jax.random.key(0), D, H)
    state, xs = lj.LSTMState(jnp.zeros((B, H)), jnp.zeros((B, H))), jnp.ones((T, B, D))

    def scanned(params, xs, state):
        return lj.lstm(params, xs, state, implementation="scan")

    def layered(params, xs, state):
        return lj.run_layers(lj.lstm_cell(), (params,), xs, (state,), implementation="scan")

    operands = params, xs, state
    written = jax.jit(textbook_lstm).lower(*operands).compile().cost_analysis()
    for ours in (scanned, layered):
        assert primitives(ours, *operands) == primitives(textbook_lstm, *operands)
        assert jax.jit(ours).lower(*operands).compile().cost_analysis() == written


# --- initialization and errors --------------------------------------------------------------------


def test_presets_draw_as_their_frameworks_do():
    key, wide = jax.random.key(0), 64

    def drawn(init, preset):
        return jax.tree.map(np.asarray, init(key, 32, wide, preset=preset))

    torch = drawn(lj.init_lstm, "torch")
    for kernel in (torch.input_kernel, torch.recurrent_kernel):
        assert 0.98 * wide**-0.5 < np.abs(kernel).max() <= wide**-0.5
        assert abs(float(kernel.std()) - wide**-0.5 / 3**0.5) < 0.003
    # Two uniform biases are added: the variance of the sum is twice that of one.
    assert abs(float(torch.bias.std()) - (2 / 3) ** 0.5 * wide**-0.5) < 0.01
    keras = drawn(lj.init_lstm, "keras")
    singular = np.linalg.svd(keras.recurrent_kernel, compute_uv=False)
    np.testing.assert_allclose(singular, 1, rtol=1e-5)  # for the whole matrix
    assert np.abs(keras.input_kernel).max() <= (6 / (32 + 4 * wide)) ** 0.5
    assert keras.bias.sum() == wide
    flax = drawn(lj.init_lstm, "flax")
    for block in np.split(flax.recurrent_kernel, 4, axis=1):
        np.testing.assert_allclose(np.linalg.svd(block, compute_uv=False), 1, rtol=1e-5)
    assert not flax.bias.any()
    inside = drawn(lj.init_gru, "torch").recurrent_bias
    assert 0 < np.abs(inside).max() <= 2 * wide**-0.5


def test_new_options_have_the_documented_values():
    params = lj.init_lstm(jax.random.key(0), D, H, peepholes=True, layer_norm=True,
                          projection_features=P)  # fmt: skip
    assert params.peephole.shape == (3, H)
    assert not params.peephole.any()
    assert params.projection.shape == (H, P)
    assert params.recurrent_kernel.shape == (P, 4 * H)
    assert (params.norm.input_scale == 1).all()
    assert (params.norm.cell_shift == 0).all()
    np.testing.assert_array_equal(params.bias[H : 2 * H], 1)
    coupled = lj.init_lstm(jax.random.key(0), D, H, coupled=True)
    np.testing.assert_array_equal(coupled.bias, np.repeat([1.0, 0, 0], H))
    slow = lj.init_lstm(jax.random.key(0), D, H, coupled=True, max_timescale=50.0)
    assert (slow.bias[:H] > 0).all()
    assert (slow.bias[H:] == 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda k: lj.init_lstm(k, D, H, projection_features=0), "projection_features must be at"),
        (lambda k: lj.init_lstm(k, D, H, preset="haiku"), "preset must be None or one of torch"),
        (lambda k: lj.init_lstm(k, D, H, bias=False, max_timescale=9.0),
         "max_timescale and bias=False cannot be combined"),
        (lambda k: lj.lstm(lj.init_lstm(k, D, H, layer_norm=True), jnp.ones((T, B, D)),
                           implementation="fused"), 'norm and implementation="fused" cannot be'),
        (lambda k: lj.gru(lj.init_gru(k, D, H), jnp.ones((T, B, D)), reset_after=False),
         "recurrent_bias needs reset_after=True"),
        (lambda k: lj.mgu(lj.init_mgu(k, D, H), jnp.ones((T, B, D)), implementation="fused"),
         "mgu_step has no fused path"),
        (lambda k: lj.mgu(lj.init_mgu(k, D, H), jnp.ones((T, B, D + 1))), "last axis must be 2"),
    ],
)  # fmt: skip
def test_conflicting_options_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.random.key(0))


def test_c_stays_float32_under_bfloat16():
    params = jax.tree.map(lambda a: a.astype(jnp.bfloat16), lj.init_lstm(jax.random.key(0), D, H))
    final, hs = lj.lstm(params, jnp.ones((T, B, D), jnp.bfloat16))
    assert (hs.dtype, final.c.dtype) == (jnp.bfloat16, jnp.float32)
    told = lj.LSTMState(*(jnp.zeros((B, H), jnp.bfloat16) for _ in range(2)))
    assert lj.lstm(params, jnp.ones((T, B, D), jnp.bfloat16), told)[0].c.dtype == jnp.bfloat16
