"""Export whole models to ONNX, without dropout: a `Forecaster` or a `SequenceClassifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from lstm_jax.interop.onnx.export import of_module
from lstm_jax.interop.onnx.graph import Graph, add_stack, directions_of, dtype_of
from lstm_jax.models.bags import NONE
from lstm_jax.models.classifier import SequenceClassifier
from lstm_jax.models.forecaster import Forecaster
from lstm_jax.nn.layers import LSTM

if TYPE_CHECKING:
    from onnx import ModelProto

# The largest and smallest index, for slices up to the end or down to the beginning.
FAR = np.iinfo(np.int64)
INT64 = np.dtype(np.int64)


def export_forecaster(model: Forecaster, *, name: str = "forecaster") -> ModelProto:
    """Export a `Forecaster` as an ONNX model with symbolic B and T.

    Input: `xs` (B, T, D), scaled windows. Output: `ys` (B, horizon, outputs), where the quantiles
    of a step are in ascending order.

    Args:
        model: the network.
        name: name of the graph.

    Returns:
        A checked `onnx.ModelProto`, with weights in the dtype of the model.

    Raises:
        ImportError: if onnx is not installed.
        ValueError: if the operators do not support the layers, as in `export_layers`, or the model
            reads known future inputs or codes of categories.
    """
    if model.reads_on or model.categories:
        raise ValueError(
            "only a forecaster that reads the window alone can be exported, but this model also "
            f"reads {'known future inputs' if model.reads_on else 'codes of categories'}"
        )
    graph = Graph(initial_state=False, sequence_lens=False, final_state=False)
    config, features = model.config, model.lstm.in_features
    weights = {
        "output_kernel": np.asarray(model.output_kernel[...]),
        "output_bias": np.asarray(model.output_bias[...]),
    }
    if config.linear:
        weights["window_kernel"] = np.asarray(model.window_kernel[...])
    dtype = dtype_of([directions_of(layer) for layer in model.lstm.params], *weights.values())
    xs = graph.input("xs", dtype, ["B", "T", features])
    if config.odd:
        mirrored = graph.node("Neg", [xs], ["mirrored_xs"])
        xs = graph.node("Concat", [xs, mirrored], ["both_xs"], axis=0)
    _layers(graph, model.lstm, xs, dtype)
    h = _ends(graph, model.lstm)
    ys = _readout(graph, h, weights, "read")
    if config.linear:
        end = _slice(graph, xs, "window_end", -config.linear, FAR.max, axis=1)
        flat = _reshaped(graph, end, "window_flat", [0, config.linear * features])
        kernel = graph.constant("window_kernel", weights["window_kernel"])
        linear = graph.node("MatMul", [flat, kernel], ["linear"])
        ys = graph.node("Add", [ys, linear], ["said"])
    ys = _reshaped(graph, ys, "steps", [0, model.horizon, model.outputs])
    if model.outputs > 1 and model.quantiles:
        count = graph.constant("outputs", np.array([model.outputs]))
        ascending = {"axis": -1, "largest": 0, "sorted": 1}
        ys = graph.node("TopK", [ys, count], ["sorted", "places"], **ascending)
    if config.odd:
        graph.node("Split", [ys], ["upright", "mirrored"], axis=0, num_outputs=2)
        turned = _slice(graph, "mirrored", "turned", -1, FAR.min, axis=2, step=-1)
        twice = graph.node("Sub", ["upright", turned], ["twice"])
        ys = graph.node("Mul", [twice, graph.constant("half", np.array(0.5, dtype))], ["halved"])
    graph.node("Identity", [ys], ["ys"])
    graph.output("ys", dtype, ["B", model.horizon, model.outputs])
    return graph.model(name)


def export_classifier(
    model: SequenceClassifier,
    *,
    sequence_lens: bool = False,
    bags: bool = False,
    name: str = "classifier",
) -> ModelProto:
    """Export a `SequenceClassifier` as an ONNX model with symbolic B and T.

    Inputs: `ids` (B, T) int64, or (B, T, S) for bags of ids, or `xs` (B, T, D) for a model that
    reads vectors; `sequence_lens` (B,) int32, if requested. Output: `logits` (B, C).

    Args:
        model: the network.
        sequence_lens: whether lengths are an input; otherwise all rows are T long.
        bags: whether each word has S ids, as in `SpelledVocabulary`; -1 stands after the last.
        name: name of the graph.

    Returns:
        A checked `onnx.ModelProto`, with weights in the dtype of the model.

    Raises:
        ImportError: if onnx is not installed.
        ValueError: if the operators do not support the layers, as in `export_layers`.
    """
    graph = Graph(initial_state=False, sequence_lens=sequence_lens, final_state=False)
    names = ["output_kernel", "output_bias"]
    names += ["embedding"] if model.reads_ids else []
    names += ["attention_kernel", "attention_vector"] if model.config.pooling == "attention" else []
    weights = {part: np.asarray(getattr(model, part)[...]) for part in names}
    dtype = dtype_of([directions_of(layer) for layer in model.lstm.params], *weights.values())
    if model.reads_ids:
        ids = graph.input("ids", INT64, ["B", "T", "S"] if bags else ["B", "T"])
        table = graph.constant("embedding", weights["embedding"])
        xs = graph.node("Gather", [table, ids], ["embedded"])
        xs = _summed(graph, ids, xs, dtype) if bags else xs
    else:
        xs = graph.input("xs", dtype, ["B", "T", model.lstm.in_features])
    if sequence_lens:
        graph.input("sequence_lens", np.dtype(np.int32), ["B"])
        lengths = graph.node(
            "Cast", ["sequence_lens"], ["lengths"], to=graph.onnx.TensorProto.INT64
        )
        last = graph.constant("last_axis", np.array([-1]))
        graph.node("Unsqueeze", [lengths, last], ["lengths_column"])
    top = _layers(graph, model.lstm, xs, dtype)
    if model.config.pooling == "last":
        pooled = _ends(graph, model.lstm)
    else:
        hs = graph.node("Transpose", [top], ["hs"], perm=[1, 0, 2])
        pooled = _pooled(graph, model.config.pooling, hs, weights, dtype)
    if sequence_lens:  # the logits of an empty row are the bias
        no_steps, zeros = (
            graph.constant(n, np.array(0, t)) for n, t in (("none", INT64), ("zero", dtype))
        )
        filled = graph.node("Greater", ["lengths_column", no_steps], ["there"])
        pooled = graph.node("Where", [filled, pooled, zeros], ["pooled_there"])
    logits = _readout(graph, pooled, weights, "read")
    graph.node("Identity", [logits], ["logits"])
    graph.output("logits", dtype, ["B", weights["output_bias"].shape[0]])
    return graph.model(name)


# --- parts of both -------------------------------------------------------------------------------


def _layers(graph: Graph, layer: LSTM, xs: str, dtype: np.dtype) -> str:
    """Add the layers for inputs (B, T, D), and return the name of their (T, B, directions · H)."""
    params, variant = of_module(layer, False)
    time_major = graph.node("Transpose", [xs], ["time_major"], perm=[1, 0, 2])
    pairs = [directions_of(each) for each in params]
    return add_stack(graph, time_major, pairs, dtype, **variant)[0]


def _ends(graph: Graph, layer: LSTM) -> str:
    """Add the concatenated last h of the top layer's directions: (B, directions · H)."""
    final = f"final_h_{layer.num_layers - 1}"
    rows = graph.node("Transpose", [final], ["final_rows"], perm=[1, 0, 2])
    return _reshaped(graph, rows, "ends", [0, layer.out_features])


def _readout(graph: Graph, h: str, weights: dict[str, np.ndarray], name: str) -> str:
    kernel, bias = (
        graph.constant(part, weights[part]) for part in ("output_kernel", "output_bias")
    )
    product = graph.node("MatMul", [h, kernel], [f"{name}_product"])
    return graph.node("Add", [product, bias], [name])


def _summed(graph: Graph, ids: str, rows: str, dtype: np.dtype) -> str:
    """Add the sum of each bag's rows (B, T, S, E), divided by the root of their number."""
    last, inner = (graph.constant(f"bag_axis_{k}", np.array([k])) for k in (-1, -2))
    none, zero, one = (
        graph.constant(n, np.array(value, t))
        for n, value, t in (("no_id", NONE, INT64), ("no_row", 0, dtype), ("a_row", 1, dtype))
    )
    valid = graph.node("Greater", [ids, none], ["valid_ids"])
    column = graph.node("Unsqueeze", [valid, last], ["valid_column"])
    known = graph.node("Where", [column, rows, zero], ["known_rows"])
    total = graph.node("ReduceSum", [known, inner], ["sum_of_rows"], keepdims=0)
    element = graph.onnx.helper.np_dtype_to_tensor_dtype(dtype)
    numbers = graph.node("Cast", [valid], ["numbers"], to=element)
    count = graph.node("ReduceSum", [numbers, last], ["count_of_rows"], keepdims=1)
    root = graph.node("Sqrt", [graph.node("Max", [count, one], ["least_one"])], ["root_of_count"])
    return graph.node("Div", [total, root], ["words"])


def _pooled(
    graph: Graph, pooling: str, hs: str, weights: dict[str, np.ndarray], dtype: np.dtype
) -> str:
    """Add the pooling from (B, T, W) to (B, W), over valid steps if there are lengths."""
    axis = graph.constant("time_axis", np.array([1]))
    valid = _valid(graph, hs) if graph.sequence_lens else None

    def masked(array: str, name: str, other: float) -> str:
        if valid is None:
            return array
        value = graph.constant(f"{name}_other", np.array(other, dtype))
        return graph.node("Where", [valid, array, value], [name])

    # The smallest number rather than -inf, as in the model.
    least = float(jnp.finfo(dtype).min)
    if pooling == "max":
        return graph.node("ReduceMax", [masked(hs, "known", least), axis], ["pooled"], keepdims=0)
    if pooling == "mean":
        if valid is None:
            return graph.node("ReduceMean", [hs, axis], ["pooled"], keepdims=0)
        total = graph.node("ReduceSum", [masked(hs, "known", 0), axis], ["total"], keepdims=0)
        element = graph.onnx.helper.np_dtype_to_tensor_dtype(dtype)
        count = graph.node("Cast", ["lengths_column"], ["count"], to=element)
        return graph.node("Div", [total, count], ["pooled"])
    kernel, vector = (
        graph.constant(part, weights[part]) for part in ("attention_kernel", "attention_vector")
    )
    mixed = graph.node("MatMul", [hs, kernel], ["mixed"])
    squashed = graph.node("Tanh", [mixed], ["squashed"])
    scores = graph.node("MatMul", [squashed, vector], ["scores"])
    shares = graph.node("Softmax", [masked(scores, "known_scores", least)], ["shares"], axis=1)
    shared = graph.node("Mul", [shares, hs], ["shared"])
    return graph.node("ReduceSum", [masked(shared, "known", 0), axis], ["pooled"], keepdims=0)


def _valid(graph: Graph, hs: str) -> str:
    """Add (B, T, 1) booleans from `lengths_column` (B, 1)."""
    shape = graph.node("Shape", [hs], ["shape_of_hs"])
    one, zero = (graph.constant(f"number_{k}", np.array(k)) for k in (1, 0))
    steps = graph.node("Gather", [shape, one], ["steps_count"], axis=0)
    numbers = graph.node("Range", [zero, steps, one], ["step_numbers"])
    valid = graph.node("Less", [numbers, "lengths_column"], ["valid"])
    return graph.node("Unsqueeze", [valid, "last_axis"], ["valid_rows"])


def _slice(
    graph: Graph, array: str, name: str, start: int, end: int, *, axis: int, step: int = 1
) -> str:
    parts = {"start": start, "end": int(end), "axis": axis, "step": step}
    bounds = [graph.constant(f"{name}_{part}", np.array([k])) for part, k in parts.items()]
    return graph.node("Slice", [array, *bounds], [name])


def _reshaped(graph: Graph, array: str, name: str, shape: list[int]) -> str:
    """Add a Reshape, in which 0 keeps the size of an axis."""
    return graph.node("Reshape", [array, graph.constant(f"{name}_shape", np.array(shape))], [name])
