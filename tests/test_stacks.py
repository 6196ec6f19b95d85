"""Stacked layers against loops, layer by layer, direction by direction."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import cells as oracle
from problems import assert_close, make_params, make_state, make_xs

import lstm_jax as lj
from lstm_jax.stacks import last_valid

pytestmark = pytest.mark.usefixtures("compile_fast")

T, B, D, H = 5, 3, 2, 3
LSTM = lj.lstm_cell()
CONTROLS = {
    "plain": {},
    "lengths": {"lengths": np.array([5, 2, 0], np.int32)},
    "left padded": {"mask": np.arange(T)[:, None] >= np.array([0, 3, 5])},
    "holes": {"mask": np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1]], bool).T},
    "resets": {"resets": np.array([[0, 0, 1, 0, 1], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]], bool).T},
    "all": {
        "lengths": np.array([4, 5, 1], np.int32),
        "mask": np.array([[1, 1, 0, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]], bool).T,
        "resets": np.array([[0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0]], bool).T,
    },
}


def make_layers(count=2, merge="concat", bidirectional=True, skip=False, seed=0):
    width, layers = D, []
    for index in range(count):
        reads = width + D if skip and index else width
        made = [make_params("lstm", reads, H, seed=seed + 2 * index + k) for k in range(2)]
        layers.append(lj.Directions(*made) if bidirectional else made[0])
        width = 2 * H if bidirectional and merge == "concat" else H
    return tuple(layers)


def make_states(layers, seed=20):
    states = []
    for index, params in enumerate(layers):
        pair = [make_state("lstm", (B,), H, seed=seed + 2 * index + k) for k in range(2)]
        states.append(lj.Directions(*pair) if isinstance(params, lj.Directions) else pair[0])
    return tuple(states)


def loops(layers, xs, states=None, *, merge="concat", connections=None, **controls):
    """Final states and every step's output, by the oracle's loops."""
    below, finals, given = xs, [], []
    for index, params in enumerate(layers):
        both = params if isinstance(params, lj.Directions) else (params,)
        zeros = [(np.zeros((B, H)), np.zeros((B, H)))] * 2
        starts = zeros if states is None else states[index]
        starts = starts if len(both) == 2 or states is None else (starts,)
        reads = np.concatenate([xs, below], -1) if connections == "skip" and index else below
        runs = [
            oracle.run("lstm", oracle.as_params(p), reads, s, reverse=reverse, **controls)[:2]
            for p, s, reverse in zip(both, starts, (False, True), strict=False)
        ]
        finals.append([final for final, _ in runs])
        hs = [hs for _, hs in runs]
        hs = np.concatenate(hs, -1) if merge == "concat" else sum(hs)
        below = hs + reads if connections == "residual" and hs.shape == reads.shape else hs
        given.append(below)
    return finals, np.concatenate(given, -1) if connections == "skip" else below


def assert_same(actual, expected, tolerance=1e-12):
    finals, ys = actual
    for one, wanted in zip(finals, expected[0], strict=True):
        one = one if isinstance(one, lj.Directions) else (one,)
        for state, leaves in zip(one, wanted, strict=True):
            for a, b in zip(state, leaves, strict=True):
                assert_close(a, b, tolerance)
    assert_close(ys, expected[1], tolerance)


@pytest.mark.parametrize("merge", ["concat", "sum"])
@pytest.mark.parametrize("name", CONTROLS)
def test_both_directions_with_every_control(name, merge, x64):
    layers, xs = make_layers(merge=merge), make_xs((T, B, D))
    states = make_states(layers)
    run = partial(lj.run_layers, LSTM, merge=merge, **CONTROLS[name])
    expected = loops(layers, xs, states, merge=merge, **CONTROLS[name])
    assert_same(jax.jit(run)(layers, xs, states), expected)
    assert_same(jax.jit(partial(run, implementation="scan"))(layers, xs, states), expected)


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 3), st.booleans(), st.sampled_from([None, "residual", "skip"]),
    st.sampled_from(["concat", "sum"]), st.sampled_from(sorted(CONTROLS)),
    st.sampled_from([None, "sqrt", 1, 2, 4]),
)  # fmt: skip
def test_options_compose(count, bidirectional, connections, merge, name, remat):
    with jax.enable_x64(True):
        layers = make_layers(count, merge, bidirectional, skip=connections == "skip")
        xs = make_xs((T, B, D))
        options = {"merge": merge, "connections": connections, **CONTROLS[name]}
        run = jax.jit(partial(lj.run_layers, LSTM, remat=remat, **options))
        assert_same(run(layers, xs), loops(layers, xs, **options))


@pytest.mark.parametrize(
    ("name", "remat", "implementation"),
    [("plain", 4, "fused"), ("all", "sqrt", "scan"), ("all", "sqrt", "fused"), ("all", 2, "scan")],
)
def test_gradients_are_the_same_when_chunks_are_recomputed(name, remat, implementation, x64):
    layers, xs = make_layers(), make_xs((T, B, D))
    states, weights = make_states(layers), make_xs((T, B, 2 * H), seed=8)

    def loss(layers, xs, states, remat):
        finals, ys = lj.run_layers(LSTM, layers, xs, states, implementation=implementation,
                                   remat=remat, **CONTROLS[name])  # fmt: skip
        return (weights * ys**2).sum() + sum((leaf**3).sum() for leaf in jax.tree.leaves(finals))

    gradients = [
        jax.jit(jax.grad(partial(loss, remat=r), (0, 1, 2)))(layers, xs, states)
        for r in (None, remat)
    ]
    for a, b in zip(*map(jax.tree.leaves, gradients), strict=True):
        assert_close(a, b, 1e-12)


@pytest.mark.parametrize(
    ("connections", "merge", "name"),
    [("skip", "concat", "all"), ("residual", "sum", "holes"), (None, "concat", "resets")],
)
def test_derivatives_are_finite_differences_of_the_loops(connections, merge, name, x64):
    layers = make_layers(2, merge, skip=connections == "skip")
    # Some entries of the input and of two layers' parameters: the loops are slow.
    xs, rng = make_xs((T, B, D)), np.random.default_rng(3)
    options = {"merge": merge, "connections": connections, **CONTROLS[name]}
    weights = rng.normal(size=loops(layers, xs, **options)[1].shape)
    leaves, tree = jax.tree.flatten((layers, xs))

    def value(run, leaves):
        layers, xs = jax.tree.unflatten(tree, leaves)
        return (weights * run(layers, xs, **options)[1] ** 2).sum()

    gradient = jax.jit(jax.grad(partial(value, partial(lj.run_layers, LSTM))))(leaves)
    for leaf, slope in zip(leaves, gradient, strict=True):
        for at in rng.choice(leaf.size, 3, replace=False):
            at = np.unravel_index(at, leaf.shape)
            kept, found = leaf[at], []
            for step in (1e-6, -1e-6):
                leaf[at] = kept + step
                found.append(value(loops, leaves))
            leaf[at] = kept
            assert_close(slope[at], (found[0] - found[1]) / 2e-6, 1e-7)


@pytest.mark.parametrize("name", ["plain", "lengths", "holes", "resets"])
@pytest.mark.parametrize("connections", [None, "skip"])
def test_the_last_output_is_that_of_the_last_valid_step(name, connections, x64):
    layers, xs = make_layers(skip=connections == "skip"), make_xs((T, B, D))
    run = partial(lj.run_layers, LSTM, connections=connections, **CONTROLS[name])
    finals, ys = jax.jit(partial(run, outputs="last"))(layers, xs)
    expected, _ = loops(layers, xs, connections=connections, **CONTROLS[name])
    wanted = [np.concatenate([leaves[0] for leaves in one], -1) for one in expected]
    assert_close(ys, np.concatenate(wanted, -1) if connections else wanted[-1], 1e-12)
    nothing = jax.jit(partial(run, outputs="none"))(layers, xs)
    assert nothing[1] is None
    jax.tree.map(np.testing.assert_array_equal, nothing[0], finals)


@pytest.mark.parametrize("name", ["plain", "lengths", "holes"])
def test_last_with_residuals(name, x64):
    layers, xs = make_layers(bidirectional=False), make_xs((T, B, D))
    run = partial(lj.run_layers, LSTM, connections="residual", **CONTROLS[name])
    everything = np.asarray(jax.jit(run)(layers, xs)[1])
    found = np.asarray(jax.jit(partial(run, outputs="last"))(layers, xs)[1])
    valid = CONTROLS[name].get("mask", np.ones((T, B), bool))
    if "lengths" in CONTROLS[name]:
        valid = np.arange(T)[:, None] < CONTROLS[name]["lengths"]
    for b in range(B):
        steps = np.flatnonzero(valid[:, b])
        assert_close(found[b], everything[steps[-1], b] if len(steps) else np.zeros(H), 1e-12)
    assert_close(last_valid(everything, mask=valid), found, 1e-12)


@pytest.mark.parametrize("name", ["plain", "all"])
def test_traces_are_the_states_and_gates_of_every_layer(name, x64):
    layers, xs = make_layers(), make_xs((T, B, D))
    finals, traces = jax.jit(partial(lj.trace_layers, LSTM, **CONTROLS[name]))(layers, xs)
    expected = jax.jit(partial(lj.run_layers, LSTM, **CONTROLS[name]))(layers, xs)
    for a, b in zip(jax.tree.leaves(finals), jax.tree.leaves(expected[0]), strict=True):
        assert_close(a, np.asarray(b), 1e-13)
    top = np.concatenate([traces[-1].forward.states.h, traces[-1].backward.states.h], -1)
    assert_close(top, np.asarray(expected[1]), 1e-13)
    assert traces[0].forward.gates.f.shape == (T, B, H)


@pytest.mark.parametrize("implementation", ["scan", "fused"])
def test_an_initial_state_is_where_sequences_and_segments_begin(implementation, x64):
    layers, xs = make_layers(), make_xs((T, B, D))
    initial = tuple(
        lj.Directions(*(make_state("lstm", (), H, seed=s) for s in (40 + i, 50 + i)))
        for i in range(2)
    )
    resets = CONTROLS["resets"]["resets"]
    run = jax.jit(partial(lj.run_layers, LSTM, layers[:1], initial=initial[:1],
                          implementation=implementation))  # fmt: skip
    whole = run(xs, resets=resets)
    # Each segment alone: the outputs are those of separate sequences.
    for b in range(B):
        starts = [0, *np.flatnonzero(resets[1:, b]) + 1, T]
        for first, last in pairwise(starts):
            alone = run(xs[first:last, b : b + 1])
            assert_close(whole[1][first:last, b], np.asarray(alone[1][:, 0]), 1e-12)


MISTAKES = [
    ({"merge": "mean"}, "merge must be one of"),
    ({"connections": "dense"}, "connections must be one of"),
    ({"outputs": "first"}, "outputs must be one of"),
    ({"outputs": "last", "connections": "residual"}, 'outputs="last" and connections="residual"'),
    ({"noise": lj.Noise(zoneout=0.1), "implementation": "fused"}, 'zoneout and implementation="f'),
    ({"remat": 0}, "remat must be None"),
    ({"remat": True}, "remat must be None"),
    ({"state": (make_state("lstm", (B,), H),)}, "one for each layer, got 1"),
    ({"state": (make_state("lstm", (B,), H),) * 2}, r"state\[0\] must be a pair"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_conflicting_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        lj.run_layers(LSTM, make_layers(), make_xs((T, B, D)), **options)


def test_noise_that_a_cell_cannot_have_is_named():
    params = (make_params("gru", D, H),)
    for noise, message in (
        (lj.Noise(state_dropout=0.1), "state_dropout and gru_step cannot be combined"),
        (lj.Noise(cell_zoneout=0.1), "cell_zoneout needs a cell with a state c"),
    ):
        with pytest.raises(ValueError, match=message):
            lj.run_layers(lj.gru_cell(), params, make_xs((T, B, D)), noise=noise)
    with pytest.raises(ValueError, match=r"weight_dropout must lie in \[0, 1\), got 1"):
        lj.Noise(weight_dropout=1)


# --- the modules ----------------------------------------------------------------------------------


@pytest.mark.parametrize("connections", [None, "residual", "skip"])
def test_a_module_passes_its_arguments_to_the_function(connections):
    layer = lj.LSTM(D, H, num_layers=2, bidirectional=True, connections=connections,
                    learned_initial=True, rngs=nnx.Rngs(0))  # fmt: skip
    state = nnx.state(layer)
    rng = np.random.default_rng(0)
    nnx.update(layer, jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape), a.dtype), state))
    xs, lengths = make_xs((B, T, D), dtype=np.float32), np.array([5, 2, 0])
    finals, ys = layer(xs, lengths=lengths)
    initial = tuple(one.record for one in layer.initial)
    expected = lj.run_layers(LSTM, layer.params, xs.swapaxes(0, 1), lengths=lengths,
                             initial=initial, connections=connections)  # fmt: skip
    np.testing.assert_array_equal(ys, expected[1].swapaxes(0, 1))
    assert ys.shape == (B, T, layer.out_features)
    # A row of length 0 returns the initial state.
    np.testing.assert_array_equal(finals[0].forward.c[2], initial[0].forward.c)
    start = layer.initial_state(B)
    np.testing.assert_array_equal(start[1].backward.h[1], initial[1].backward.h)
    continued, _ = layer(xs, start, lengths=lengths)
    jax.tree.map(np.testing.assert_array_equal, continued, finals)
    last = None
    if connections != "residual":
        last = layer(xs, lengths=lengths, outputs="last")[1]
        assert last.shape == (B, layer.out_features)


def test_learned_states_get_gradients():
    layer = lj.LSTM(D, H, learned_initial=True, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    gradient = jax.grad(lambda s: nnx.merge(graph, s)(jnp.ones((B, T, D)))[1].sum())(state)
    learned = nnx.merge(graph, gradient).initial[0].record
    assert (jnp.abs(learned.c) > 0).all()
    assert (jnp.abs(learned.h) > 0).all()


KINDS = {
    "no bias": (lj.LSTM, {"bias": False}),
    "options": (lj.LSTM, {"peepholes": True, "coupled": True, "projection_features": 2,
                          "layer_norm": True}),
    "gru before": (lj.GRU, {"reset_after": False}),
    "mgu": (lj.MGU, {}),
    "relu": (lj.RNN, {"activation": jax.nn.relu}),
    "preset": (lj.GRU, {"preset": "torch"}),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_modules_of_every_kind_are_their_steps_scanned(name):
    kind, options = KINDS[name]
    layer = kind(D, H, num_layers=2, rngs=nnx.Rngs(0), **options)
    xs = make_xs((B, T, D), dtype=np.float32)
    finals, ys = layer(xs)
    below = xs.swapaxes(0, 1)
    for params, final, zeros in zip(layer.params, finals, layer.initial_state(B), strict=True):
        expected, below = lj.scan(layer.cell.step, params, below, zeros)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), final, expected)
    np.testing.assert_allclose(ys.swapaxes(0, 1), below, rtol=1e-5, atol=1e-6)
    assert layer.out_features == ys.shape[-1]
    gradient = jax.jit(jax.grad(lambda xs: layer(xs)[1].sum()))(xs)
    assert np.isfinite(gradient).all()


def test_low_precision_is_explicit_and_c_stays_wide():
    xs = make_xs((B, T, D), dtype=np.float32)
    layer = lj.LSTM(D, H, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    finals, ys = layer(xs)
    assert layer.params[0].input_kernel.dtype == jnp.float32
    assert ys.dtype == finals[0].h.dtype == jnp.bfloat16
    assert finals[0].c.dtype == jnp.float32
    wide = lj.LSTM(D, H, rngs=nnx.Rngs(0))(xs)[1]
    np.testing.assert_allclose(ys.astype(np.float32), wide, atol=0.02)
    told = lj.LSTM(D, H, dtype=jnp.bfloat16, cell_dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    assert told(xs)[0][0].c.dtype == jnp.bfloat16
    assert told.initial_state(B)[0].c.dtype == jnp.bfloat16


def test_a_module_traces_its_gates():
    layer = lj.LSTM(D, H, num_layers=2, rngs=nnx.Rngs(0))
    xs = make_xs((B, T, D), dtype=np.float32)
    finals, traces = layer.trace(xs)
    np.testing.assert_allclose(traces[1].states.h, layer(xs)[1], rtol=1e-5, atol=1e-6)
    assert traces[0].gates.f.shape == (B, T, H)
    np.testing.assert_array_equal(finals[1].c, traces[1].states.c[:, -1])
    with pytest.raises(ValueError, match="trace and connections='skip' cannot be combined"):
        lj.LSTM(D, H, connections="skip", rngs=nnx.Rngs(0)).trace(xs)
    for rates in ({"zoneout": 0.1}, {"cell_zoneout": 0.3}):
        with pytest.raises(ValueError, match=r"trace and zoneout=.* cannot be combined"):
            lj.LSTM(D, H, **rates, rngs=nnx.Rngs(0)).trace(xs)


# --- states are pytrees ---------------------------------------------------------------------------


def test_a_state_continues_through_donation_vmap_and_a_checkpoint(tmp_path):
    from orbax.checkpoint import v1 as ocp

    layer = lj.LSTM(D, H, num_layers=2, rngs=nnx.Rngs(0))
    both = lj.LSTM(D, H, bidirectional=True, rngs=nnx.Rngs(0))
    xs = jnp.asarray(make_xs((B, T, D), dtype=np.float32))
    whole, expected = layer(xs)
    run = jax.jit(lambda state, xs: layer(xs, state), donate_argnames="state")
    state, first = run(layer.initial_state(B), xs[:, :2])
    ocp.save(tmp_path / "state", (state, both(xs)[0]))
    restored, pair = ocp.load(tmp_path / "state", (state, both(xs)[0]))
    assert isinstance(pair[0], lj.Directions)
    kept, second = run(state, xs[:, 2:])
    assert jax.tree.leaves(state)[0].is_deleted()
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), expected, rtol=1e-5, atol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), kept, whole)
    again, _ = run(restored, xs[:, 2:])
    jax.tree.map(np.testing.assert_array_equal, again, kept)
    rows, _ = jax.vmap(lambda state, x: layer(x[None], state))(
        jax.tree.map(lambda leaf: leaf[:, None], layer.initial_state(B)), xs
    )
    for a, b in zip(jax.tree.leaves(rows), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a[:, 0], b, rtol=1e-5, atol=1e-6)
