"""Every public pure function lowers for accelerators that the tests do not have."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from problems import CELLS, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax import lstm_gates, lstm_step, sample, stack, trace
from lstm_jax.conv import conv_lstm_step, init_conv_lstm
from lstm_jax.models.losses import tied_cross_entropy
from lstm_jax.recurrence import StackState

T, B, D, H, V = 3, 2, 2, 3, 5
PLATFORMS = ("tpu", "cuda")


def lower(function, *arguments):
    exported = jax.export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
    assert set(exported.platforms) == set(PLATFORMS)
    assert exported.mlir_module_serialized


def problem(cell):
    params = make_params(cell, D, H, dtype=np.float32)
    controls = {
        "mask": np.ones((T, B), bool),
        "resets": np.zeros((T, B), bool),
        "lengths": np.full(B, T, np.int32),
        "initial": make_state(cell, (), H, dtype=np.float32),
    }
    return params, make_xs((T, B, D), dtype=np.float32), controls


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("cell", "implementation"),
    [("lstm", "scan"), ("lstm", "fused"), ("rnn", "scan"), ("rnn", "fused"), ("gru", "scan")],
)
def test_a_layer_and_its_gradient(cell, implementation, dtype):
    params, xs, controls = problem(cell)
    params, xs = jax.tree.map(lambda a: jnp.asarray(a, dtype), (params, xs))

    def run(params, xs, controls):
        return CELLS[cell].run(params, xs, implementation=implementation, **controls)

    def loss(params, xs, controls):
        return run(params, xs, controls)[1].sum()

    lower(run, params, xs, controls)
    lower(jax.grad(loss, (0, 1)), params, xs, controls)


@pytest.mark.parametrize(
    "options",
    [
        {"peepholes": True, "coupled": True, "projection_features": 2},
        {"layer_norm": True, "bias": False},
    ],
)
def test_options_directions_noise_and_remat(options):
    key = jax.random.key(0, impl="rbg")
    made = [lj.init_lstm(jax.random.key(s), D, H, **options) for s in range(2)]
    width = 2 * made[0].recurrent_kernel.shape[0]
    layers = (lj.Directions(*made), lj.init_lstm(key, width, H, **options))
    noise = lj.Noise(0.1, 0.1, 0.1, True, 0.1, 0.1, 0.1, 0.1)
    lengths = np.array([T, 1], np.int32)

    def loss(layers, xs, key):
        finals, ys = lj.run_layers(lj.lstm_cell(), layers, xs, lengths=lengths, noise=noise,
                                   key=key, remat=2)  # fmt: skip
        penalty = lj.activation_penalty(ys) + lj.temporal_activation_penalty(ys)
        return ys.sum() + penalty + jax.tree.leaves(finals)[0].sum()

    lower(jax.grad(loss), layers, jnp.ones((T, B, D)), key)


def test_the_other_cells():
    key, xs = jax.random.key(0), jnp.ones((T, B, D))
    for run, params in (
        (lj.mgu, lj.init_mgu(key, D, H)),
        (partial(lj.gru, reset_after=False), lj.init_gru(key, D, H, recurrent_bias=False)),
        (partial(lj.rnn, activation=jax.nn.relu), lj.init_rnn(key, D, H)),
    ):
        lower(jax.grad(lambda p, xs, run=run: run(p, xs)[1].sum(), (0, 1)), params, xs)
    images = jnp.ones((T, B, 4, 4, D))
    params = init_conv_lstm(key, D, H)

    def loss(params, images):
        start = lj.conv_lstm_cell().zero(params, images)
        return lj.scan(conv_lstm_step, params, images, start)[1].sum()

    lower(jax.grad(loss, (0, 1)), params, images)


def test_steps_traces_and_stacks():
    params, xs, _ = problem("lstm")
    state = make_state("lstm", (B,), H, dtype=np.float32)
    lower(lambda p, x, s: trace(lstm_step, p, x, s, gates=lstm_gates), params, xs, state)
    top = make_params("gru", H, H, dtype=np.float32)
    states = StackState((state, make_state("gru", (B,), H, dtype=np.float32)))
    lower(stack(lstm_step, CELLS["gru"].step), (params, top), states, xs[0])


def test_a_loss_and_its_gradient():
    arguments = (
        np.ones((T, H), np.float32), np.ones((V, H), np.float32), np.ones(V, np.float32),
        np.zeros(T, np.int32), np.ones(T, np.float32),
    )  # fmt: skip
    lower(lambda *a: tied_cross_entropy(*a, chunk=2), *arguments)
    lower(jax.grad(lambda *a: tied_cross_entropy(*a, chunk=2), (0, 1, 2)), *arguments)


def test_the_sampler():
    params = make_params("lstm", V, H, dtype=np.float32)

    def step(params, state, ids):
        state = lstm_step(params, state, jax.nn.one_hot(ids, V))
        return state, state.h @ params.input_kernel[:, :H].T

    def draw(params, state, prompts, lengths, key):
        return sample(
            step, params, state, prompts, lengths,
            key=key, max_length=4, eos_id=1, temperature=0.8, top_k=3, top_p=0.9,
        )  # fmt: skip

    state = make_state("lstm", (B,), H, dtype=np.float32)
    prompts, lengths = np.full((B, 2), 2, np.int32), np.full(B, 2, np.int32)
    lower(draw, params, state, prompts, lengths, jax.random.key(0))


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("lstm", "t, 2"), ("lstm", "3, b"), *((k, "t, b") for k in ("lstm", "gru", "rnn", "mgu"))],
)
def test_symbolic_sizes_are_exported_and_give_the_values(kind, shape):
    """No decision may compare a symbolic size; the program is right for every size."""
    params = getattr(lj, f"init_{kind}")(jax.random.key(0), D, H)
    run = getattr(lj, kind)
    symbols = jax.export.symbolic_shape(f"{shape}, {D}")
    xs = jax.ShapeDtypeStruct(symbols, jnp.float32)
    lengths = jax.ShapeDtypeStruct(symbols[1:2], jnp.int32)

    def both(params, xs, lengths):
        final, hs = run(params, xs)
        return final, hs, run(params, xs, lengths=lengths, reverse=True)[1]

    exported = jax.export.export(jax.jit(both))(params, xs, lengths)
    known = {"t": 4, "b": 5}
    sizes = [known.get(name) or int(name) for name in shape.split(", ")]
    values = np.random.default_rng(0).normal(size=(*sizes, D)).astype(np.float32)
    counts = np.arange(sizes[1], dtype=np.int32) % (sizes[0] + 1)
    found = exported.call(params, values, counts)
    for a, b in zip(
        jax.tree.leaves(found), jax.tree.leaves(both(params, values, counts)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_layers_with_symbolic_sizes():
    layer = lj.LSTM(D, H, num_layers=2, bidirectional=True, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    shape = jax.export.symbolic_shape(f"b, t, {D}")

    def run(state, xs):
        return nnx.merge(graph, state)(xs, outputs="last")[1]

    exported = jax.export.export(jax.jit(run))(state, jax.ShapeDtypeStruct(shape, jnp.float32))
    xs = jnp.ones((3, 7, D))
    np.testing.assert_allclose(exported.call(state, xs), run(state, xs), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="remat='sqrt' needs a fixed number of steps"):
        jax.export.export(jax.jit(lambda p, x: lj.lstm(p, x, remat="sqrt")))(
            layer.params[0].forward, jax.ShapeDtypeStruct(shape, jnp.float32)
        )
