"""A whole model as ONNX, with what a user must know of it in its metadata."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from lstm_jax.export.about import about
from lstm_jax.interop import onnx
from lstm_jax.models.storage import Stored

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

EXPORTS: dict[str, Callable[[Any], ModelProto]] = {
    "CharLM": onnx.export_char_lm,
    "SequenceModel": partial(onnx.export_sequence_model, sequence_lens=True),
    "SequenceClassifier": partial(onnx.export_classifier, sequence_lens=True),
    "Forecaster": onnx.export_forecaster,
}
"""What exports a model, by its kind."""


def graph_of(stored: Stored) -> ModelProto:
    """Turn a model of any kind into an ONNX model.

    Args:
        stored: the model.

    Returns:
        A graph that the checker has passed. Its `metadata_props` hold what `about` gives.

    Raises:
        ImportError: onnx is not installed.
        ValueError: the model has something that ONNX's operators cannot hold.
    """
    graph = EXPORTS[stored.description["kind"]](stored.network)
    for name, value in about(stored, graph=True).items():
        graph.metadata_props.add(key=name, value=value)
    return graph


def say(graph: ModelProto) -> str:
    """Name the inputs and the outputs of a graph, with their shapes."""
    inputs, outputs = (
        ", ".join(map(_value, values)) for values in (graph.graph.input, graph.graph.output)
    )
    return f"{inputs} in; {outputs} out"


def _value(value: ValueInfoProto) -> str:
    sizes = (d.dim_param or str(d.dim_value) for d in value.type.tensor_type.shape.dim)
    return f"{value.name} ({', '.join(sizes)})"
