"""Setting the parameters of a layer: `from_params`, `layer.params = ...`, and errors."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lstm_jax as lj

pytestmark = pytest.mark.usefixtures("compile_fast")
D, H = 2, 3
LAYERS = {
    "lstm": (lj.LSTM, {}),
    "lstm of everything": (
        lj.LSTM,
        {"num_layers": 2, "bidirectional": True, "peepholes": True, "layer_norm": True},
    ),
    "lstm, projected": (lj.LSTM, {"num_layers": 2, "projection_features": 2}),
    "lstm, coupled": (lj.LSTM, {"coupled": True, "bias": False}),
    "gru": (lj.GRU, {"num_layers": 2}),
    "gru, one bias": (lj.GRU, {"recurrent_bias": False}),
    "rnn": (lj.RNN, {}),
    "mgu": (lj.MGU, {}),
    "conv": (lj.ConvLSTM, {"window": (3,)}),
    "lstm cell": (lj.LSTMCell, {"peepholes": True}),
    "gru cell": (lj.GRUCell, {}),
    "rnn cell": (lj.RNNCell, {}),
    "mgu cell": (lj.MGUCell, {}),
    "conv cell": (lj.ConvLSTMCell, {}),
}


def made(name, seed=0):
    kind, options = LAYERS[name]
    return kind(D, H, rngs=nnx.Rngs(seed), **options)


def assert_same(layer, other):
    assert nnx.graphdef(layer) == nnx.graphdef(other)
    for a, b in zip(*(jax.tree.leaves(nnx.state(one)) for one in (layer, other)), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_built_from_parameters(name):
    layer = made(name)
    arrays = jax.tree.map(np.asarray, layer.params)
    assert_same(type(layer).from_params(arrays), layer)


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_are_set_in_place(name):
    layer, other = made(name), made(name, seed=1)
    variables = [value for _, value in nnx.iter_graph(other) if isinstance(value, nnx.Param)]
    other.params = jax.tree.map(np.asarray, layer.params)
    assert_same(other, layer)
    after = [value for _, value in nnx.iter_graph(other) if isinstance(value, nnx.Param)]
    assert list(map(id, after)) == list(map(id, variables))  # an optimizer still recognizes them


def test_options_that_the_parameters_leave_open():
    params = lj.LSTM(D, H, bidirectional=True, rngs=nnx.Rngs(0)).params
    layer = lj.LSTM.from_params(params, merge="sum", dropout=0.0, param_dtype=jnp.bfloat16)
    assert layer.out_features == H
    assert {leaf.dtype for leaf in jax.tree.leaves(layer.params)} == {jnp.dtype("bfloat16")}
    layer.params = params  # in the layer's dtype, as PyTorch's load_state_dict
    assert {leaf.dtype for leaf in jax.tree.leaves(layer.params)} == {jnp.dtype("bfloat16")}
    gru = lj.GRU(D, H, reset_after=False, rngs=nnx.Rngs(0))
    assert_same(lj.GRU.from_params(gru.params, reset_after=False), gru)


def test_a_layer_of_a_custom_cell():
    cell = lj.rnn_cell(jax.nn.relu)._replace(textbook=None)
    layer = lj.Recurrent(cell, D, H, rngs=nnx.Rngs(0))
    assert_same(lj.Recurrent.from_params(layer.params, cell=cell), layer)
    assert_same(lj.Recurrent(cell, D, H, params=layer.params, rngs=nnx.Rngs(1)), layer)


LSTM = lj.LSTM(D, H, rngs=nnx.Rngs(0))
(P,) = LSTM.params
SHORT = replace(P, bias=P.bias[:5])
BOTH = lj.Directions(P, P)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (
            lambda: lj.LSTM.from_params(P),
            "params must be a tuple of layers, bottom first, got one LSTMParams; for one layer "
            "pass (params,)",
        ),
        (lambda: lj.LSTM.from_params(()), "params must have at least one layer, got none"),
        (
            lambda: lj.LSTM.from_params((P, BOTH)),
            "params must be Directions in every layer, or in none",
        ),
        (
            lambda: lj.GRU.from_params((P,)),
            "params[0] must be GRUParams, the parameters of this layer's cell, got LSTMParams",
        ),
        (
            lambda: lj.LSTM.from_params((P,), num_layers=1),
            "from_params takes no num_layers: the parameters decide that",
        ),
        (
            lambda: lj.LSTM.from_params((P,), bias=False),
            "LSTM takes no bias with params: the parameters decide that",
        ),
        (
            lambda: lj.LSTM(D, H, num_layers=2, params=(P,), rngs=nnx.Rngs(0)),
            "params must be a tuple of num_layers=2, got 1",
        ),
        (
            lambda: lj.LSTM(D, H, bidirectional=True, params=(P,), rngs=nnx.Rngs(0)),
            "params[0] must be Directions of two where bidirectional=True",
        ),
        (
            lambda: lj.LSTM(D, 4, params=(P,), rngs=nnx.Rngs(0)),
            "params[0] is 3 features wide, where hidden_features=4",
        ),
        (
            lambda: lj.LSTM.from_params((P, P)),
            "params[1] does not fit: x has shape (1, 3); its last axis must be 2, the rows of "
            "input_kernel (2, 12); it has input_kernel (2, 12), recurrent_kernel (3, 12), "
            "bias (12,)",
        ),
        (
            lambda: lj.Recurrent.from_params(({"W": jnp.ones((D, H))},), cell=lj.rnn_cell()),
            "dict has no input_kernel and recurrent_kernel to read the sizes from; pass the sizes "
            "and params=params to the layer",
        ),
    ],
)
def test_parameters_that_make_no_layer_are_refused(make, error):
    with pytest.raises((TypeError, ValueError)) as raised:
        make()
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ((P, P), "params must be a tuple of 1, got 2"),
        (
            (SHORT,),
            "params[0].bias has shape (5,), but the layer's has shape (12,); use from_params to "
            "make a layer of these parameters",
        ),
        (
            (replace(P, bias=None),),
            "params[0].bias is missing, but the layer's has shape (12,); use from_params to make a "
            "layer of these parameters",
        ),
        ((BOTH,), "params[0] must be LSTMParams, got Directions"),
    ],
)
def test_parameters_that_do_not_fit_are_not_set(params, error):
    before = LSTM.params
    with pytest.raises((TypeError, ValueError)) as raised:
        LSTM.params = params
    assert str(raised.value) == error
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), LSTM.params, before))


def test_a_field_that_is_none_stays_none():
    """Also if its record has no default for it."""
    layer = lj.Recurrent(lj.mogrifier_cell(), 3, 4, bias=False, rngs=nnx.Rngs(0))
    assert layer.params[0].bias is None
    assert layer(np.zeros((2, 5, 3), np.float32))[1].shape == (2, 5, 4)


def test_layer_normalization_can_be_donated():
    layer = lj.LSTM(3, 4, layer_norm=True, rngs=nnx.Rngs(0))
    leaves = jax.tree.leaves(layer.params)
    assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves)
    update = jax.jit(lambda params: jax.tree.map(lambda a: 2 * a, params), donate_argnums=0)
    update(lj.init_lstm(jax.random.key(0), 3, 4, layer_norm=True))
