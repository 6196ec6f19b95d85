"""Weights of other frameworks become a layer, and are exported from it, in a line each."""

import jax
import numpy as np
import pytest
from flax import nnx

import lstm_jax as lj
from lstm_jax import interop

D, H = 2, 3
WHOLE = {
    "torch": (interop.to_torch, interop.from_torch),
    "keras": (interop.to_keras, interop.from_keras),
}
ONE = {
    "linen": (interop.to_linen, interop.from_linen),
    "nnx": (interop.to_nnx, interop.from_nnx),
    "haiku": (interop.to_haiku, interop.from_haiku),
    "equinox": (interop.to_equinox, interop.from_equinox),
}


def assert_same(layer, other):
    assert nnx.graphdef(layer) == nnx.graphdef(other)
    for a, b in zip(*(jax.tree.leaves(one.params) for one in (layer, other)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layout", WHOLE)
@pytest.mark.parametrize("kind", [lj.LSTM, lj.GRU, lj.RNN])
def test_a_round_trip_of_a_stack(layout, kind):
    leave, come = WHOLE[layout]
    layer = kind(D, H, num_layers=2, bidirectional=True, rngs=nnx.Rngs(0))
    layers = come(leave(layer.params))
    assert_same(kind.from_params(layers), layer)
    other = kind(D, H, num_layers=2, bidirectional=True, rngs=nnx.Rngs(1))
    other.params = layers
    assert_same(other, layer)


@pytest.mark.parametrize("layout", ONE)
def test_a_round_trip_of_a_cell(layout):
    leave, come = ONE[layout]
    layer = lj.LSTM(D, H, forget_bias=0.0, rngs=nnx.Rngs(0))
    params = come(leave(layer.params[0]))
    assert_same(lj.LSTM.from_params((params,)), layer)
    cell = lj.LSTMCell.from_params(params)
    np.testing.assert_array_equal(cell.params.recurrent_kernel, layer.params[0].recurrent_kernel)


def test_a_round_trip_through_a_vector_and_a_file(tmp_path):
    layer = lj.LSTM(D, H, num_layers=2, rngs=nnx.Rngs(0))
    sizes = {"input_size": D, "hidden_size": H, "num_layers": 2}
    layers = interop.from_cudnn(interop.to_cudnn(layer.params), **sizes)
    assert_same(lj.LSTM.from_params(layers), layer)
    interop.save_safetensors(tmp_path / "layer.safetensors", layer.params)
    layer.params = interop.load_safetensors(tmp_path / "layer.safetensors")
    assert_same(lj.LSTM.from_params(layers), layer)


ONNX = {
    "lstm": lambda: lj.LSTM(D, H, num_layers=2, bidirectional=True, rngs=nnx.Rngs(0)),
    "lstm of others": lambda: lj.LSTM(
        D,
        H,
        peepholes=True,
        activations=lj.LSTMActivations(jax.nn.sigmoid, jax.nn.relu, jax.nn.soft_sign),
        rngs=nnx.Rngs(0),
    ),
    "gru": lambda: lj.GRU(D, H, rngs=nnx.Rngs(0)),
    "gru, reset before": lambda: lj.GRU(D, H, reset_after=False, rngs=nnx.Rngs(0)),
    "rnn": lambda: lj.RNN(D, H, activation=jax.nn.relu, rngs=nnx.Rngs(0)),
}


@pytest.mark.parametrize("name", ONNX)
def test_a_round_trip_through_onnx(name):
    pytest.importorskip("onnx")
    from lstm_jax.interop import onnx

    layer = ONNX[name]()
    back = onnx.load_layer(onnx.export_layers(layer))
    assert_same(back, layer)
    with pytest.raises(TypeError, match="from_params takes no num_layers"):
        onnx.load_layer(onnx.export_layers(layer), num_layers=1)


def test_onnx_options_that_no_layer_has_are_refused():
    pytest.importorskip("onnx")
    from lstm_jax.interop import onnx

    def node(**attributes):
        model = onnx.export_layers(ONNX["gru"]())
        (found,) = [node for node in model.graph.node if node.op_type == "GRU"]
        from onnx import helper

        found.attribute.extend(helper.make_attribute(*item) for item in attributes.items())
        return model

    for attributes, error in (
        ({"clip": 3.0}, "has no option for the activations or the coupling of this node"),
        ({"direction": "reverse"}, "a node runs only backward, which no layer does"),
    ):
        with pytest.raises(ValueError, match=error):
            onnx.load_layer(node(**attributes))
