"""Exported models, checked by ONNX and run in onnxruntime, against the functions they came from."""

from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from problems import assert_close, make_xs

from lstm_jax import CharLM, CharLMConfig, functional
from lstm_jax.cells import (
    LSTMActivations,
    LSTMNorm,
    LSTMParams,
    LSTMState,
    RNNParams,
    RNNState,
    lstm_step,
    rnn_step,
)
from lstm_jax.gated import GRUParams, GRUState, MGUParams, gru_step
from lstm_jax.interop.onnx import export_char_lm, export_layers, load
from lstm_jax.nn.layers import GRU, LSTM, MGU, RNN, Recurrent
from lstm_jax.recurrence import scan
from lstm_jax.stacks import Directions as Pair

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

T, B, D, H = 5, 3, 2, 4


def draw(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(scale=0.7, size=s).astype(np.float32)) for s in shapes]


def lstm(D, seed, gates=4):
    return LSTMParams(*draw(seed, (D, gates * H), (H, gates * H), (gates * H,)))


def peephole(D, seed):
    return replace(lstm(D, seed), peephole=draw(seed + 100, (3, H))[0])


def coupled(D, seed):
    return replace(lstm(D, seed, gates=3), peephole=draw(seed + 100, (2, H))[0])


def bare_lstm(D, seed):
    return replace(lstm(D, seed), bias=None)


def gru(D, seed):
    return GRUParams(*draw(seed, (D, 3 * H), (H, 3 * H), (3 * H,), (H,)))


def paper_gru(D, seed):
    return replace(gru(D, seed), recurrent_bias=None)


def half_biased_gru(D, seed):
    return replace(gru(D, seed), bias=None)


def rnn(D, seed):
    return RNNParams(*draw(seed, (D, H), (H, H), (H,)))


def reset_before(params, state, x):
    return gru_step(params, state, x, reset_after=False)


# For each cell: its init, its step, its state, and options of the export.
KINDS = {
    "lstm": (lstm, lstm_step, LSTMState, {}),
    "peephole": (peephole, lstm_step, LSTMState, {}),
    "coupled": (coupled, lstm_step, LSTMState, {}),
    "coupled without peepholes": (lambda D, s: lstm(D, s, 3), lstm_step, LSTMState, {}),
    "no bias": (bare_lstm, lstm_step, LSTMState, {}),
    "gru": (gru, gru_step, GRUState, {}),
    "reset before": (paper_gru, reset_before, GRUState, {"reset_after": False}),
    "gru without its first bias": (half_biased_gru, gru_step, GRUState, {}),
    "rnn": (rnn, rnn_step, RNNState, {}),
}


def session(model):
    onnx.checker.check_model(model, full_check=True)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def outputs_of(model, feeds):
    running = session(model)
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(names, feeds), strict=True))


def reference(step, state_type, layers, xs, states=None, lengths=None):
    """`scan`, layer after layer and direction after direction: hs, and h, c as ONNX has them."""
    finals = {}
    for k, layer in enumerate(layers):
        pair = layer if isinstance(layer, tuple) else (layer,)
        hs, ends = [], []
        for d, params in enumerate(pair):
            state = state_type(
                *(
                    jnp.zeros((B, H)) if states is None else states[f"{name}_{k}"][d]
                    for name in state_type._fields
                )
            )
            end, h = scan(step, params, xs, state, lengths=lengths, reverse=d == 1)
            hs.append(h)
            ends.append(end)
        xs = jnp.concatenate(hs, axis=-1)
        for name in state_type._fields:
            finals[f"final_{name}_{k}"] = jnp.stack([getattr(end, name) for end in ends])
    return {"hs": xs, **finals}


def assert_same(actual, desired, tolerance=1e-5):
    assert actual.keys() == desired.keys()
    for name, array in actual.items():
        assert array.shape == desired[name].shape, name
        assert array.dtype == desired[name].dtype, name
        assert_close(array, np.asarray(desired[name]), tolerance, name)


# --- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_matches_scan(kind, bidirectional):
    make, step, state_type, options = KINDS[kind]
    n = 1 + bidirectional
    layers = tuple(
        Pair(make(width, k), make(width, 10 + k)) if bidirectional else make(width, k)
        for k, width in enumerate((D, n * H))
    )
    xs = make_xs((T, B, D), dtype=np.float32)
    with jax.disable_jit():  # a Python loop over five steps compiles nothing new
        plain = reference(step, state_type, layers, xs)
        states = {
            f"{name}_{k}": np.asarray(draw(20 + k, (n, B, H))[0]) * (1 if name == "h" else -2)
            for k in range(2)
            for name in state_type._fields
        }
        lengths = np.array([T, 1, 3], np.int32)
        full = reference(step, state_type, layers, xs, states, lengths)
    model = export_layers(layers, **options)
    assert [one.name for one in model.graph.input] == ["xs"]
    assert_same(outputs_of(model, {"xs": xs}), plain)
    model = export_layers(layers, initial_state=True, sequence_lens=True, **options)
    feeds = {"xs": xs, "sequence_lens": lengths, **states}
    assert_same(outputs_of(model, feeds), full)
    assert np.abs(plain["hs"] - full["hs"]).max() > 0.1


def test_the_operators_are_standard_and_the_length_is_symbolic():
    layers = (lstm(D, 0), gru(H, 1), rnn(H, 2))
    model = export_layers(layers)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds == {"LSTM": 1, "GRU": 1, "RNN": 1, "Squeeze": 3, "Identity": 1}
    running = session(model)
    for steps, batch in ((1, 1), (7, 2)):
        xs = make_xs((steps, batch, D), dtype=np.float32)
        hs = running.run(["hs"], {"xs": xs})[0]
        below = scan(
            lstm_step, layers[0], xs, LSTMState(jnp.zeros((batch, H)), jnp.zeros((batch, H)))
        )[1]
        below = scan(gru_step, layers[1], below, GRUState(jnp.zeros((batch, H))))[1]
        below = scan(rnn_step, layers[2], below, RNNState(jnp.zeros((batch, H))))[1]
        assert_close(hs, np.asarray(below), 1e-5)


def test_a_long_sequence_is_the_same_graph(tmp_path):
    onnx.save(export_layers((lstm(D, 0),)), tmp_path / "layers.onnx")
    running = ort.InferenceSession(tmp_path / "layers.onnx", providers=["CPUExecutionProvider"])
    xs = make_xs((1000, 1, D), dtype=np.float32)
    whole, h, c = running.run(["hs", "final_h_0", "final_c_0"], {"xs": xs})
    zeros = LSTMState(jnp.zeros((1, H)), jnp.zeros((1, H)))
    end, hs = jax.jit(lambda xs: scan(lstm_step, lstm(D, 0), xs, zeros))(xs)
    assert_close(whole, np.asarray(hs), 1e-5)
    assert_close(h[0], np.asarray(end.h), 1e-5)
    assert_close(c[0], np.asarray(end.c), 1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_weights_are_stored_unchanged(dtype):
    params = jax.tree.map(lambda a: np.asarray(a).astype(dtype), peephole(D, 0))
    model = export_layers((params,))
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    blocks = {name: slice(k * H, (k + 1) * H) for k, name in enumerate("ifgo")}
    for row, name in enumerate("iofg"):
        at = slice(row * H, (row + 1) * H)
        assert np.array_equal(stored["W_0"][0, at], params.input_kernel[:, blocks[name]].T)
        assert np.array_equal(stored["R_0"][0, at], params.recurrent_kernel[:, blocks[name]].T)
        assert np.array_equal(stored["B_0"][0, at], params.bias[blocks[name]])
    assert np.all(stored["B_0"][0, 4 * H :] == 0)
    assert np.array_equal(stored["P_0"][0].reshape(3, H), params.peephole[[0, 2, 1]])
    assert {str(stored[f"{name}_0"].dtype) for name in "WRBP"} == {dtype}


@pytest.mark.parametrize("kind", KINDS)
def test_exported_layers_are_read_back_exactly(kind):
    make, step, _, options = KINDS[kind]
    pair = Pair(make(D, 0), make(D, 1))
    (forward, backward), (above,) = load(export_layers((pair, make(2 * H, 2)), **options))
    assert (forward.reverse, backward.reverse, above.reverse) == (False, True, False)
    for params, loaded in zip((*pair, make(2 * H, 2)), (forward, backward, above), strict=True):
        for name, array in vars(params).items():
            back = getattr(loaded.params, name)
            if array is None and back is not None:  # ONNX's B has room for both biases
                assert np.all(back == 0)
            else:
                assert (array is None) == (back is None)
                assert array is None or np.array_equal(array, back), name
    state = {lstm_step: LSTMState(jnp.ones(H), jnp.ones(H))}.get(step, RNNState(jnp.ones(H)))
    x = jnp.ones(D)
    assert np.array_equal(forward.step(forward.params, state, x).h, step(pair[0], state, x).h)


@pytest.mark.parametrize(
    ("make", "step", "state_type", "names"),
    [
        (
            lstm,
            lambda p, s, x: lstm_step(
                p,
                s,
                x,
                activations=LSTMActivations(jax.nn.sigmoid, jax.nn.soft_sign, jax.nn.relu),
            ),
            LSTMState,
            ("Sigmoid", "Softsign", "Relu"),
        ),
        (
            gru,
            lambda p, s, x: gru_step(p, s, x, activation=jax.nn.soft_sign),
            GRUState,
            ("Sigmoid", "Softsign"),
        ),
        (
            rnn,
            lambda p, s, x: rnn_step(p, s, x, activation=jax.nn.relu),
            RNNState,
            ("Relu",),
        ),
    ],
    ids=["lstm", "gru", "rnn"],
)
def test_other_activations(make, step, state_type, names):
    layers = (Pair(make(D, 0), make(D, 1)),)
    xs = make_xs((T, B, D), dtype=np.float32)
    with jax.disable_jit():
        desired = reference(step, state_type, layers, xs)
    assert_same(outputs_of(export_layers(layers, activations=names), {"xs": xs}), desired)


def test_a_bias_in_one_direction_alone():
    layers = (Pair(peephole(D, 0), bare_lstm(D, 1)),)
    xs = make_xs((T, B, D), dtype=np.float32)
    with jax.disable_jit():
        desired = reference(lstm_step, LSTMState, layers, xs)
    assert_same(outputs_of(export_layers(layers), {"xs": xs}), desired)


# --- layers that own their parameters ------------------------------------------------------------


def random_module(make):
    """A module with random arrays, built from shapes, because initializers compile slowly."""
    module = nnx.eval_shape(make)
    rng = np.random.default_rng(0)

    def draw(leaf):
        return jnp.asarray(rng.normal(scale=0.7, size=leaf.shape), leaf.dtype)

    nnx.update(module, jax.tree.map(draw, nnx.state(module)))
    return module


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (LSTM, {"bidirectional": True, "num_layers": 2, "peepholes": True, "dropout": 0.5}),
        (LSTM, {"activations": LSTMActivations(candidate=jax.nn.soft_sign), "bias": False}),
        (GRU, {"reset_after": False}),
        (GRU, {"bidirectional": True}),
        (RNN, {"activation": jax.nn.relu}),
    ],
    ids=["lstm", "softsign", "paper gru", "gru", "relu"],
)
def test_a_layer_exports_its_options(kind, options):
    layer = random_module(lambda: kind(D, H, rngs=nnx.Rngs(0), time_major=True, **options))
    xs, lengths = make_xs((T, B, D), dtype=np.float32), np.array([T, 1, 3], np.int32)
    outputs = outputs_of(
        export_layers(layer, sequence_lens=True), {"xs": xs, "sequence_lens": lengths}
    )
    with jax.disable_jit():
        final, hs = layer(jnp.asarray(xs), lengths=jnp.asarray(lengths))
    desired = {"hs": hs}
    for k, state in enumerate(final):
        for name in (state.forward if isinstance(state, Pair) else state)._fields:
            ends = state if isinstance(state, Pair) else (state,)
            desired[f"final_{name}_{k}"] = jnp.stack([getattr(end, name) for end in ends])
    assert_same(outputs, desired)


def test_a_learned_state_is_passed_as_an_input():
    layer = random_module(
        lambda: LSTM(D, H, rngs=nnx.Rngs(0), learned_initial=True, time_major=True)
    )
    with pytest.raises(
        ValueError, match="do not support learned_initial, unless with initial_state"
    ):
        export_layers(layer)
    xs = make_xs((T, B, D), dtype=np.float32)
    (start,) = layer.initial_state(B)
    feeds = {"xs": xs, "h_0": np.asarray(start.h)[None], "c_0": np.asarray(start.c)[None]}
    outputs = outputs_of(export_layers(layer, initial_state=True), feeds)
    with jax.disable_jit():
        (final,), hs = layer(jnp.asarray(xs))
    assert_close(outputs["hs"], np.asarray(hs), 1e-5)
    assert_close(outputs["final_c_0"][0], np.asarray(final.c), 1e-5)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (LSTM, {"bidirectional": True, "merge": "sum"}, "do not support merge='sum' of the LSTM"),
        (
            RNN,
            {"num_layers": 2, "connections": "skip"},
            "do not support connections='skip' of",
        ),
        (GRU, {"zoneout": 0.1}, "do not support zoneout of the GRU"),
        (LSTM, {"cell_zoneout": 0.1}, "do not support zoneout of the LSTM"),
        (LSTM, {"dtype": jnp.bfloat16}, "do not support dtype of the LSTM"),
        (LSTM, {"cell_dtype": jnp.float32}, "do not support cell_dtype of the LSTM"),
        (RNN, {"activation": jax.nn.silu}, "not support the activation .*silu.*; it supports"),
    ],
)
def test_a_layer_that_no_operator_supports_is_refused(kind, options, message):
    layer = random_module(lambda: kind(D, H, rngs=nnx.Rngs(0), **options))
    with pytest.raises(ValueError, match=message):
        export_layers(layer)


def test_options_of_a_layer_cannot_be_passed_again():
    layer = random_module(lambda: GRU(D, H, rngs=nnx.Rngs(0)))
    for options in ({"reset_after": False}, {"activations": ("Sigmoid", "Relu")}):
        with pytest.raises(ValueError, match="reset_after and activations are those of the layer"):
            export_layers(layer, **options)
    layer = random_module(lambda: MGU(D, H, rngs=nnx.Rngs(0)))
    with pytest.raises(TypeError, match="ONNX has no operator for mgu_step"):
        export_layers(layer)


@pytest.mark.parametrize(
    "cell", [functional.gru_cell(False), functional.lstm_cell(LSTMActivations(cell=jax.nn.relu))]
)
def test_a_variant_that_is_given_as_a_cell_is_exported_as_such(cell, tmp_path):
    layer = random_module(lambda: Recurrent(cell, D, H, rngs=nnx.Rngs(0)))
    xs = np.random.default_rng(1).normal(size=(T, B, D)).astype(np.float32)
    found = outputs_of(export_layers(layer), {"xs": xs})["hs"]
    wanted = layer(xs.swapaxes(0, 1))[1].swapaxes(0, 1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_step_of_ones_own_is_refused():
    def step(params, state, x):
        return lstm_step(params, state, x)._replace(c=state.c)

    own = functional.lstm_cell()._replace(step=step, affine=None)
    with pytest.raises(TypeError, match="ONNX has no operator for step"):
        export_layers(random_module(lambda: Recurrent(own, D, H, rngs=nnx.Rngs(0))))


# --- the character model -------------------------------------------------------------------------

V = 11


@pytest.fixture(scope="module")
def char_lm():
    config = CharLMConfig(embedding_features=6, hidden_features=H, num_layers=2)
    return random_module(lambda: CharLM(V, config, rngs=nnx.Rngs(0)))


def test_the_character_model_returns_its_logits_and_state(char_lm):
    ids = np.random.default_rng(1).integers(0, V, (B, T))
    state = tuple(LSTMState(*draw(k, (B, H), (B, H))) for k in range(2))
    feeds = {
        f"{name}_{k}": np.asarray(getattr(one, name))[None]
        for k, one in enumerate(state)
        for name in one._fields
    }
    model = export_char_lm(char_lm)
    outputs = outputs_of(model, {"ids": ids, **feeds})
    final, logits = char_lm(jnp.asarray(ids), state)
    desired = {"logits": logits}
    for k, one in enumerate(final):
        desired |= {f"final_{name}_{k}": getattr(one, name)[None] for name in one._fields}
    assert_same(outputs, desired)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["LSTM"] == 2
    assert not kinds.keys() & {"Loop", "Scan", "If"}
    # The tied embedding is stored once.
    sizes = [np.prod(tensor.dims) for tensor in model.graph.initializer]
    assert sizes.count(V * 6) == 1


def test_a_sampling_loop_feeds_its_outputs_back(char_lm):
    noise = np.random.default_rng(2).gumbel(size=(12, 2, V))
    running = session(export_char_lm(char_lm))
    names = [output.name for output in running.get_outputs()]
    ids, texts = np.array([1, 7]), []
    feeds = {f"{n}_{k}": np.zeros((1, 2, H), np.float32) for k in range(2) for n in "hc"}
    for drawn in noise:
        outputs = dict(zip(names, running.run(names, {"ids": ids[:, None], **feeds}), strict=True))
        ids = (outputs.pop("logits")[:, 0] + drawn).argmax(-1)
        feeds = {name.removeprefix("final_"): array for name, array in outputs.items()}
        texts.append(ids)
    graph, arrays = nnx.split(char_lm)
    step = jax.jit(lambda state, ids: nnx.merge(graph, arrays).step(state, ids))
    state, ids, desired = char_lm.initial_state(2), np.array([1, 7]), []
    for drawn in noise:
        state, logits = step(state, ids)
        ids = (np.asarray(logits) + drawn).argmax(-1)
        desired.append(ids)
    assert np.array_equal(texts, desired)
    assert len(np.unique(texts)) > 4  # not the same character forever


def test_the_layers_of_a_character_model_are_read_back(char_lm):
    layers = load(export_char_lm(char_lm))
    assert len(layers) == 2
    for (loaded,), params in zip(layers, char_lm.lstm.params, strict=True):
        assert np.array_equal(loaded.params.recurrent_kernel, params.recurrent_kernel)
        assert np.array_equal(loaded.params.bias, params.bias)


# --- what ONNX cannot hold -----------------------------------------------------------------------


def with_projection():
    params = lstm(D, 0)
    kernel, projection = draw(3, (2, 4 * H), (H, 2))
    return replace(params, recurrent_kernel=kernel, projection=projection)


def with_norm(D):
    return replace(lstm(D, 0), norm=LSTMNorm(*draw(4, (4 * H,), (4 * H,), (H,), (H,))))


@pytest.mark.parametrize(
    ("layers", "options", "error", "message"),
    [
        (lambda: (with_projection(),), {}, ValueError, "layer 0 has a projection, which ONNX"),
        (lambda: (lstm(2, 0), with_norm(4)), {}, ValueError, "layer 1 has layer normalization, wh"),
        (
            lambda: (MGUParams(*draw(0, (D, 2 * H), (H, 2 * H), (2 * H,))),),
            {},
            TypeError,
            "ONNX has no operator for MGUParams",
        ),
        (lambda: lstm(D, 0), {}, TypeError, r"got one LSTMParams; for one layer pass \(layer,\)"),
        (
            lambda: Pair(rnn(D, 0), rnn(D, 1)),
            {},
            TypeError,
            "got one Directions; for one layer pass",
        ),
        (lambda: ((rnn(D, 0),) * 3,), {}, TypeError, "one or two directions, got 3"),
        (lambda: (), {}, ValueError, "no layers"),
        (
            lambda: (Pair(lstm(D, 0), gru(D, 0)),),
            {},
            ValueError,
            "directions of layer 0 differ in their cell",
        ),
        (
            lambda: (Pair(lstm(D, 0), lstm(D, 0, 3)),),
            {},
            ValueError,
            "directions of layer 0 differ in their cell, hidden features or coupling",
        ),
        (
            lambda: (rnn(D, 0), rnn(D, 1)),
            {},
            ValueError,
            r"input_kernel of layer 1 must have 4 rows.*\(2, 4\)",
        ),
        (
            lambda: (gru(D, 0),),
            {"reset_after": False},
            ValueError,
            "layer 0 has a recurrent_bias, which needs reset_after=True",
        ),
        (
            lambda: (replace(rnn(D, 0), bias=np.zeros(H, np.float64)),),
            {},
            ValueError,
            "share one dtype of float16, .*got float32, float64",
        ),
        (
            lambda: (jax.tree.map(lambda a: np.asarray(a, np.int32), rnn(D, 0)),),
            {},
            ValueError,
            "got int32",
        ),
        (
            lambda: (lstm(D, 0),),
            {"activations": ("Tanh",)},
            ValueError,
            r"activations must be 3 names for the LSTM, got \('Tanh',\)",
        ),
        (
            lambda: (rnn(D, 0),),
            {"activations": ("LeakyRelu",)},
            ValueError,
            "among Sigmoid, Tanh, Relu, Softsign, Softplus, got LeakyRelu",
        ),
        (
            lambda: (coupled(D, 0),),
            {"activations": ("Tanh", "Tanh", "Tanh")},
            ValueError,
            r"by σ\(-z\) = 1 - σ\(z\), so they need Sigmoid, got Tanh",
        ),
    ],
)
def test_unsupported_options_are_named(layers, options, error, message):
    with pytest.raises(error, match=message):
        export_layers(layers(), **options)
