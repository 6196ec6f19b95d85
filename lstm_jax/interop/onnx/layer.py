"""Import of an ONNX model as a layer, the inverse of `export_layers`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from lstm_jax.cells import TEXTBOOK, LSTMParams, lstm_step, rnn_step
from lstm_jax.gated import GRUParams, gru_step
from lstm_jax.interop.onnx.load import load
from lstm_jax.interop.onnx.node import Recurrence
from lstm_jax.interop.parameters import as_layer
from lstm_jax.named import bind, bound
from lstm_jax.nn.layers import GRU, LSTM, RNN

if TYPE_CHECKING:
    from onnx import ModelProto


def load_layer(model: ModelProto | str | Path, **options: object) -> LSTM | GRU | RNN:
    """Load the recurrent nodes of an ONNX model as one layer, including activations.

    Args:
        model: an `onnx.ModelProto`, or the path of a model; as for `load`.
        **options: options of the layer, such as `dropout`; see `LSTM.from_params`.

    Returns:
        An `LSTM`, `GRU` or `RNN`, batch-major; `export_layers` can export it again.

    Raises:
        ImportError: if onnx is not installed.
        TypeError, ValueError: as in `load`; or if the nodes are not a single layer, because they
            differ in kind or activations, one runs only backward, an initial state is stored, or a
            layer has no option for their clip or activations.
    """
    nodes = load(model)
    sides = [side for node in nodes for side in node]
    for side in sides:
        if side.state is not None:
            raise ValueError(
                "the model stores an initial state, which is not part of a layer; `load` returns "
                "it with the parameters"
            )
    if any([side.reverse for side in node] not in ([False], [False, True]) for node in nodes):
        raise ValueError("a node runs only backward, which no layer does; use `load`")
    variants = [_variant(side) for side in sides]
    if any(variant != variants[0] for variant in variants):
        raise ValueError("the nodes differ in kind or activations; `load` returns each node")
    kind, variant = variants[0]
    layers = [as_layer([side.params for side in node]) for node in nodes]
    return kind.from_params(layers, **variant, **options)


def _variant(side: Recurrence) -> tuple[type[LSTM | GRU | RNN], Mapping[str, object]]:
    """Return the class of a node's layer, and the options that are not in its parameters."""
    step = side.step
    options: Mapping[str, object]
    if isinstance(side.params, LSTMParams):
        functions = bound(step, "activations", TEXTBOOK)
        kind, plain = LSTM, bind(lstm_step, activations=functions)
        options = {"activations": functions}
    elif isinstance(side.params, GRUParams):
        after = bound(step, "reset_after", True)
        kind = GRU
        options = {"reset_after": after}
        plain = bind(
            gru_step, reset_after=after, gate_activation=jax.nn.sigmoid, activation=jnp.tanh
        )
    else:
        function = bound(step, "activation", jnp.tanh)
        kind, plain = RNN, bind(rnn_step, activation=function)
        options = {"activation": function}
    if step != plain:
        raise ValueError(
            f"the {kind.__name__} has no option for the activations or the coupling of this node; "
            "`load` returns its step"
        )
    return kind, options
