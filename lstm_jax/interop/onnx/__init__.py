"""ONNX: export layers and models as standard operators; import LSTM, GRU and RNN operators.

    model = export_layers(layer)        # a ModelProto of an LSTM, GRU or RNN, or of parameters
    model = export_char_lm(network)     # ids and state in, logits and state out
    model = export_sequence_model(network)  # sequences in, a vector for each step out
    model = export_forecaster(network)  # windows in, forecasts out
    model = export_classifier(network)  # ids or vectors in, logits out
    onnx.save(model, "model.onnx")      # for onnxruntime and others
    y, y_h, y_c = run(model, x, ...)    # evaluate a model of one LSTM, GRU or RNN node
    layer = load_layer("model.onnx")    # its recurrent layers as an LSTM, GRU or RNN
    layers = load("model.onnx")         # their weights as our parameters, with their steps

It needs the package onnx: `pip install "lstm_jax[onnx]"`.
"""

from lstm_jax.interop.onnx.export import export_char_lm, export_layers, export_sequence_model
from lstm_jax.interop.onnx.layer import load_layer
from lstm_jax.interop.onnx.load import load, run
from lstm_jax.interop.onnx.models import export_classifier, export_forecaster
from lstm_jax.interop.onnx.node import Recurrence, read_node

__all__ = [
    "Recurrence",
    "export_char_lm",
    "export_classifier",
    "export_forecaster",
    "export_layers",
    "export_sequence_model",
    "load",
    "load_layer",
    "read_node",
    "run",
]
