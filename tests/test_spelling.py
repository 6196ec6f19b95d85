"""A misspelt option is refused by the name of what a user called, and the nearest is named."""

import jax.numpy as jnp
import pytest
from flax import nnx

import lstm_jax as lj
from lstm_jax import diagnostics
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.spelling import did_you_mean
from lstm_jax.text.language import LanguageModel

D, H = 2, 3
CELLS = [lj.LSTMCell, lj.GRUCell, lj.RNNCell, lj.MGUCell, lj.ConvLSTMCell]
LAYERS = [lj.LSTM, lj.GRU, lj.RNN, lj.MGU, lj.ConvLSTM]


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_an_option_of_a_layer(kind):
    with pytest.raises(TypeError) as raised:
        kind(D, H, droput=0.1, rngs=nnx.Rngs(0))
    expected = f"{kind.__name__} got an unknown option 'droput'; did you mean 'dropout'?"
    assert str(raised.value) == expected


@pytest.mark.parametrize("kind", CELLS, ids=lambda kind: kind.__name__)
def test_an_option_of_a_cell(kind):
    with pytest.raises(TypeError) as raised:
        kind(D, H, biass=False, rngs=nnx.Rngs(0))
    expected = f"{kind.__name__} got an unknown option 'biass'; did you mean 'bias'?"
    assert str(raised.value) == expected


def test_what_the_class_has_of_its_own_counts():
    for kind, misspelt, meant in (
        (lj.LSTM, "activation", "activations"),
        (lj.GRU, "reset_befor", "reset_after"),
        (lj.RNN, "activations", "activation"),
        (lj.ConvLSTM, "windw", "window"),
        (lj.LSTM, "dytpe", "dtype"),
    ):
        with pytest.raises(TypeError, match=f"'{misspelt}'; did you mean '{meant}'"):
            kind(D, H, **{misspelt: None}, rngs=nnx.Rngs(0))


def test_an_option_of_another_cell_is_met_with_those_there_are():
    with pytest.raises(
        TypeError, match="RNN got an unknown option 'coupled'; there are activation"
    ):
        lj.RNN(D, H, coupled=True, rngs=nnx.Rngs(0))


def test_an_init_that_takes_anything_is_asked_itself():
    def init(key, in_features, hidden_features, *, dtype=None, **others):
        return lj.init_rnn(key, in_features, hidden_features, dtype=dtype, **others)

    with pytest.raises(TypeError, match="init_rnn"):
        lj.Recurrent(lj.rnn_cell()._replace(init=init), D, H, droput=1, rngs=nnx.Rngs(0))


PARAMS = lj.LSTM(D, H, rngs=nnx.Rngs(0)).params
XS = jnp.zeros((4, 2, D))
STATE = lj.LSTMState(jnp.zeros((2, H)), jnp.zeros((2, H)))
POET = LanguageModel(
    lj.CharLM(5, lj.CharLMConfig(2, 3, 1), rngs=nnx.Rngs(0)), Vocabulary(tuple("abc")), {}
)
CALLS = {
    "lstm": lambda o: lj.lstm(PARAMS[0], XS, **o),
    "gru": lambda o: lj.gru(PARAMS[0], XS, **o),
    "rnn": lambda o: lj.rnn(PARAMS[0], XS, **o),
    "mgu": lambda o: lj.mgu(PARAMS[0], XS, **o),
    "run": lambda o: lj.run(lj.lstm_cell(), PARAMS[0], XS, **o),
    "explain": lambda o: lj.explain(lj.lstm_cell(), PARAMS[0], XS, **o),
    "trace": lambda o: lj.trace(lj.lstm_step, PARAMS[0], XS, STATE, **o),
    "run_layers": lambda o: lj.run_layers(lj.lstm_cell(), PARAMS, XS, **o),
    "trace_layers": lambda o: lj.trace_layers(lj.lstm_cell(), PARAMS, XS, **o),
    "adjoints": lambda o: diagnostics.adjoints(lj.lstm_step, PARAMS[0], XS, STATE, jnp.sum, **o),
    "cell_and_hidden": lambda o: diagnostics.cell_and_hidden(
        lj.lstm_step, PARAMS[0], XS, STATE, jnp.sum, **o
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_option_of_a_function_that_hands_it_on(name):
    with pytest.raises(TypeError) as raised:
        CALLS[name]({"lenghts": [4, 2]})
    expected = f"{name} got an unknown option 'lenghts'; did you mean 'lengths'?"
    assert str(raised.value) == expected


def test_a_wish_of_a_poet():
    for name, call in (("generate", POET.generate), ("stream", POET.stream), ("cost", POET.cost)):
        with pytest.raises(TypeError) as raised:
            call("a", acrostc="b")
        expected = f"{name} got an unknown option 'acrostc'; did you mean 'acrostic'?"
        assert str(raised.value) == expected


def test_nothing_near_names_all():
    assert did_you_mean("zzz", ["b", "a"]) == "there are a, b"
    assert did_you_mean("zzz", []) == "there are none"
    assert did_you_mean("trian", ["train", "data"]) == "did you mean 'train'?"
