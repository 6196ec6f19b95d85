"""Mistakes of new users, and the error that each of them gets."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lstm_jax as lj
from lstm_jax import cli, errors
from lstm_jax.errors import UselessWarning

B, T, D, H = 3, 4, 2, 5
XS = jnp.zeros((B, T, D))
TIME_MAJOR = jnp.zeros((T, B, D))
ONE = lj.LSTM(D, H, rngs=nnx.Rngs(0))
TWO = lj.LSTM(D, H, num_layers=2, rngs=nnx.Rngs(0))
BOTH = lj.LSTM(D, H, bidirectional=True, rngs=nnx.Rngs(0))
h = jnp.zeros((B, H))
STATE = lj.LSTMState(h, h)
STACK = lj.stack(lj.lstm_step, lj.lstm_step)
ARRAYS = (
    "state must be a tuple of {}, one for each layer, such as LSTMState(h, c), got arrays; "
    "PyTorch's (h0, c0) is tuple(map(LSTMState, h0, c0))"
).format

MISTAKES = {
    "lengths": (
        lambda: ONE(XS, lengths=[3, 2]),
        "lengths must be (3,), as the state has shape (3, 5), got shape (2,)",
    ),
    "lengths of a function": (
        lambda: lj.lstm(ONE.params[0], TIME_MAJOR, lengths=jnp.array([3, 2])),
        "lengths must be (3,), as the state has shape (3, 5), got shape (2,)",
    ),
    "lengths of a scan": (
        lambda: lj.scan(lj.lstm_step, ONE.params[0], TIME_MAJOR, STATE, lengths=[[1, 2]]),
        "lengths must be (3,), as the state has shape (3, 5), got shape (1, 2)",
    ),
    "mask": (
        lambda: ONE(XS, mask=[[True]]),
        "mask must be (B, T) = (3, 4), got shape (1, 1)",
    ),
    "mask of a function": (
        lambda: lj.lstm(ONE.params[0], TIME_MAJOR, mask=np.ones((T, 2), bool)),
        "mask must be (T, 3), as the state has shape (3, 5), got shape (4, 2)",
    ),
    "resets of layers": (
        lambda: lj.run_layers(lj.lstm_cell(), ONE.params, TIME_MAJOR, resets=np.ones((T, 2), bool)),
        "resets must be (T, 3), as the state has shape (3, 5), got shape (4, 2)",
    ),
    "a bare state": (
        lambda: ONE(XS, STATE),
        "state must be a tuple of 1, one for each layer, got one LSTMState; pass (state,)",
    ),
    "a bare state of two layers": (
        lambda: TWO(XS, STATE),
        "state must be a tuple of 2, one for each layer, got one LSTMState",
    ),
    "a bare state of two directions": (
        lambda: BOTH(XS, (STATE,)),
        "state[0] must be a pair (forward, backward)",
    ),
    "h and c": (
        lambda: ONE(XS, (h, h)),
        ARRAYS(1),
    ),
    "h and c of PyTorch": (
        lambda: TWO(XS, (jnp.stack([h, h]), jnp.stack([h, h]))),
        ARRAYS(2),
    ),
    "h": (
        lambda: ONE(XS, h),
        "state must be a tuple of 1, one for each layer, got an array of shape (3, 5)",
    ),
    "h and c of a layer": (
        lambda: TWO(XS, ((h, h), (h, h))),
        "state must be LSTMState(h (3, 5), c (3, 5)), got a tuple of arrays (3, 5), (3, 5); "
        "PyTorch's (h0, c0) is LSTMState(h0[0], c0[0])",
    ),
    "a layer's state for a function": (
        lambda: lj.lstm(ONE.params[0], TIME_MAJOR, (STATE,)),
        "state must be LSTMState(h (3, 5), c (3, 5)), got a tuple of arrays (3, 5), (3, 5); "
        "the state of one layer is state[0]",
    ),
    "h for a GRU": (
        lambda: lj.gru(lj.GRU(D, H, rngs=nnx.Rngs(0)).params[0], TIME_MAJOR, h),
        "state must be GRUState(h (3, 5)), got an array of shape (3, 5)",
    ),
    "h and c for a cell": (
        lambda: lj.LSTMCell(D, H, rngs=nnx.Rngs(0))((h, h), XS[:, 0]),
        "state must be as initial_state returns it, got a tuple",
    ),
    "a tuple for a stack": (
        lambda: lj.scan(STACK, TWO.params, TIME_MAJOR, (STATE, STATE)),
        "the state is a tuple without an attribute h; pass a state that has it, such as "
        "LSTMState(h, c) or StackState((state_0, state_1, ...)), or emit=None, or an "
        "emit(params, old_state, x, new_state)",
    ),
    "one layer's parameters": (
        lambda: lj.run_layers(lj.lstm_cell(), ONE.params[0], TIME_MAJOR),
        "layers must be a tuple of parameters, bottom first, got one LSTMParams; for one layer "
        "pass (params,)",
    ),
    "explain nothing": (
        lambda: lj.explain(lj.lstm_cell(), TIME_MAJOR),
        "explain needs the parameters and the inputs of a Cell",
    ),
    "explain a step": (
        lambda: lj.explain(lj.lstm_step, TIME_MAJOR),
        "explain takes a layer and its inputs, or a Cell, its parameters and its inputs; got a "
        "function",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_argument(name):
    call, expected = MISTAKES[name]
    with pytest.raises((TypeError, ValueError)) as raised:
        call()
    assert str(raised.value) == expected


@pytest.mark.parametrize("layer", [ONE, TWO, BOTH], ids=["one", "two", "both"])
def test_a_layer_explains_how_it_runs(layer):
    alone = lj.explain(lj.lstm_cell(), ONE.params[0], TIME_MAJOR)  # by any engine
    explained = lj.explain(layer, XS)
    assert len(explained) == layer.num_layers * (1 + layer.bidirectional)
    assert {one.implementation for one in explained} == {alone.implementation}
    assert str(explained[0]) == str(alone)


def test_a_layer_explains_what_its_options_cost():
    layer = lj.LSTM(D, H, num_layers=2, layer_norm=True, connections="skip", rngs=nnx.Rngs(0))
    explained = str(lj.explain(layer, XS))
    assert explained.startswith('implementation="scan"\n  not fused: norm and')
    zoned = lj.LSTM(D, H, zoneout=0.1, rngs=nnx.Rngs(0))
    assert [one.implementation for one in zoned.explain(XS)] == ["scan"]
    mixed = lj.Recurrent(lj.lstm_cell(), D, H, num_layers=2, time_major=True, rngs=nnx.Rngs(0))
    assert len(mixed.explain(TIME_MAJOR, lengths=[4, 2, 1])) == 2


def test_useless_dropout_warns_where_the_layer_is_built():
    with pytest.warns(UselessWarning) as warned:  # noqa: PT031
        lj.LSTM(D, H, dropout=0.1, rngs=nnx.Rngs(0))
        lj.CharLM(5, lj.CharLMConfig(2, 3, 1, layer_dropout=0.25), rngs=nnx.Rngs(0))
    assert [one.filename for one in warned] == [__file__] * 2
    assert [str(one.message) for one in warned] == [
        "dropout=0.1 acts between layers, so with num_layers=1 it does nothing; input_dropout and "
        "output_dropout act on the inputs and outputs of a single layer",
        "layer_dropout=0.25 acts between layers, so with num_layers=1 it does nothing",
    ]


@pytest.mark.filterwarnings("default")
def test_a_program_prints_the_warning_in_a_line(monkeypatch, capsys):
    def useless(words):
        """Do nothing."""
        errors.warn("dropout does nothing")

    monkeypatch.setitem(cli.COMMANDS, "useless", useless)
    with pytest.raises(SystemExit) as left:
        cli.main(["useless"])
    assert left.value.code == 0
    assert capsys.readouterr() == ("", "lstm-jax: dropout does nothing\n")
