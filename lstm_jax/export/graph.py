"""A whole model as ONNX, with all the information needed to run it in its metadata."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lstm_jax.export.about import about
from lstm_jax.interop import onnx
from lstm_jax.models.storage import Stored

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

EXPORTS: dict[str, Callable[..., ModelProto]] = {
    "CharLM": onnx.export_char_lm,
    "SequenceModel": partial(onnx.export_sequence_model, sequence_lens=True),
    "SequenceClassifier": partial(onnx.export_classifier, sequence_lens=True),
    "Forecaster": onnx.export_forecaster,
}
"""Kind of model -> function that exports it."""


def graph_of(stored: Stored) -> ModelProto:
    """Convert a model of any kind to ONNX.

    Args:
        stored: the model.

    Returns:
        A graph that ONNX's checker accepts, with the result of `about` in its `metadata_props`.

    Raises:
        ImportError: if onnx is not installed.
        ValueError: if ONNX's operators cannot represent the model.
    """
    spelled = {"bags": True} if "grams" in stored.description else {}
    graph = EXPORTS[stored.description["kind"]](stored.network, **spelled)
    for name, value in about(stored, graph=True).items():
        graph.metadata_props.add(key=name, value=value)
    return graph


def say(graph: ModelProto) -> str:
    """List the inputs and outputs of a graph, with their shapes."""
    inputs, outputs = (
        ", ".join(map(_value, values)) for values in (graph.graph.input, graph.graph.output)
    )
    return f"inputs {inputs}; outputs {outputs}"


def _value(value: ValueInfoProto) -> str:
    sizes = (d.dim_param or str(d.dim_value) for d in value.type.tensor_type.shape.dim)
    return f"{value.name} ({', '.join(sizes)})"
