"""A copy of a layer or a model is equivalent to the original."""

import copy
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lstm_jax import functional
from lstm_jax.cells import LSTMActivations
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.nn.layers import (
    GRU,
    LSTM,
    MGU,
    RNN,
    ConvLSTM,
    ConvLSTMCell,
    GRUCell,
    LSTMCell,
    MGUCell,
    RNNCell,
)
from lstm_jax.text import language

D, H = 2, 3
OTHERS = LSTMActivations(jax.nn.hard_sigmoid, jax.nn.soft_sign, jax.nn.relu)
LAYERS = {
    "lstm": (LSTM, {}),
    "lstm of others": (LSTM, {"activations": OTHERS}),
    "lstm of everything": (
        LSTM,
        {"num_layers": 2, "bidirectional": True, "dropout": 0.5, "peepholes": True,
         "learned_initial": True, "cell_dtype": jnp.float32, "dtype": jnp.bfloat16},
    ),
    "gru": (GRU, {}),
    "gru, reset before": (GRU, {"reset_after": False}),
    "rnn": (RNN, {}),
    "rnn of relu": (RNN, {"activation": jax.nn.relu}),
    "mgu": (MGU, {}),
    "conv": (ConvLSTM, {"window": (3,)}),
    "lstm cell": (LSTMCell, {"activations": OTHERS}),
    "gru cell": (GRUCell, {"reset_after": False}),
    "rnn cell": (RNNCell, {"activation": jax.nn.relu}),
    "mgu cell": (MGUCell, {}),
    "conv cell": (ConvLSTMCell, {}),
}  # fmt: skip


def through_a_file(value):
    return pickle.loads(pickle.dumps(value))


COPIES = {"deepcopy": copy.deepcopy, "pickle": through_a_file, "clone": nnx.clone}
every_copy = pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)


def layer_of(name, **more):
    kind, options = LAYERS[name]
    return kind(D, H, rngs=nnx.Rngs(0), **options, **more)


def assert_same(made, original):
    graphs = [nnx.graphdef(one) for one in (made, original)]
    assert graphs[0] == graphs[1]
    assert hash(graphs[0]) == hash(graphs[1])
    for a, b in zip(*(jax.tree.leaves(nnx.state(m)) for m in (made, original)), strict=True):
        np.testing.assert_array_equal(a, b)


@every_copy
@pytest.mark.parametrize("name", LAYERS)
def test_a_copied_layer_is_the_layer(name, make):
    layer = layer_of(name)
    assert_same(make(layer), layer)
    assert_same(make(make(layer)), layer_of(name))


MODELS = {
    "char_lm": lambda: CharLM(7, CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0)),
    "lstm": lambda: SequenceModel(2, 1, SequenceModelConfig(), rngs=nnx.Rngs(0)),
    "rnn": lambda: SequenceModel(2, 1, SequenceModelConfig(cell="rnn"), rngs=nnx.Rngs(0)),
    "classifier": lambda: SequenceClassifier(
        3, SequenceClassifierConfig(hidden_features=4), in_features=2, rngs=nnx.Rngs(0)
    ),
    "forecaster": lambda: Forecaster(2, 5, 3, 1, ForecasterConfig(), rngs=nnx.Rngs(0)),
}


@every_copy
@pytest.mark.parametrize("name", MODELS)
def test_a_copied_model_is_the_model(name, make):
    model = MODELS[name]()
    assert_same(make(model), model)


@every_copy
def test_a_copy_is_compiled_once(make):
    traced = []

    @nnx.jit
    def run(layer, xs):
        traced.append(1)
        return layer(xs)[1]

    for name in ("lstm of others", "rnn of relu", "lstm of everything", "conv"):
        layer, xs = layer_of(name), jnp.ones((1, 2, *((4,) if name == "conv" else ()), D))
        traced.clear()
        expected = run(layer, xs)
        np.testing.assert_array_equal(run(make(layer), xs), expected)
        assert traced == [1]


@every_copy
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "rnn of relu"])
def test_a_copy_is_exported_as_the_layer(name, make):
    pytest.importorskip("onnx")
    from lstm_jax.interop.onnx import export_layers

    layer = layer_of(name)
    assert export_layers(make(layer)) == export_layers(layer)


@every_copy
def test_activations_are_the_functions_passed(make):
    for original in (layer_of("lstm of others"), make(layer_of("lstm of others"))):
        assert original.activations == OTHERS
        assert all(a is b for a, b in zip(original.activations, OTHERS, strict=True))
    for original in (layer_of("rnn of relu"), make(layer_of("rnn of relu"))):
        assert original.activation is jax.nn.relu
    assert make(layer_of("rnn")).activation is jnp.tanh


@every_copy
def test_the_obstacles_for_cudnn_are_the_same(make):
    for name in ("lstm", "lstm of others"):
        layer = layer_of(name)
        xs = jnp.ones((4, 1, D))
        obstacles = [
            str(functional.explain(one.cell, one.params[0], xs)) for one in (layer, make(layer))
        ]
        assert obstacles[0] == obstacles[1]
        assert ("with σ and tanh" in obstacles[0]) == (name != "lstm")


@pytest.mark.parametrize("make", [copy.deepcopy, through_a_file], ids=["deepcopy", "pickle"])
def test_a_copied_language_model_writes_the_same_without_compiling(make):
    vocabulary = Vocabulary(tuple("abc"))
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0))
    model = language.LanguageModel(network, vocabulary, {})
    written = model.generate("a", num=1, seed=1, max_length=8)
    compiled = language.decode._cache_size()
    made = make(model)
    assert made.generate("a", num=1, seed=1, max_length=8) == written
    assert language.decode._cache_size() == compiled
    assert made.vocabulary == vocabulary


def test_another_process_reads_the_file(tmp_path):
    path = tmp_path / "layers.pickle"
    path.write_bytes(pickle.dumps([layer_of("lstm of others"), layer_of("rnn of relu")]))
    program = (
        "import pickle, sys, jax\n"
        "lstm, rnn = pickle.load(open(sys.argv[1], 'rb'))\n"
        "assert lstm.activations.cell is jax.nn.relu and rnn.activation is jax.nn.relu\n"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True)
