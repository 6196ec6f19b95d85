"""Import from ONNX: evaluate a model of one LSTM, GRU or RNN node, or read a chain of layers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.interop.onnx.attributes import (
    attributes_of,
    check_shape,
    operator_of,
    ranked,
)
from lstm_jax.interop.onnx.chain import check_chain
from lstm_jax.interop.onnx.file import damage_in_words, read_file
from lstm_jax.interop.onnx.format import OPERATORS, onnx_package
from lstm_jax.interop.onnx.node import STORED, Recurrence, read_node
from lstm_jax.interop.onnx.stored import origin, stored_arrays
from lstm_jax.recurrence import scan

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

Arrays = Mapping[str, Array | np.ndarray]

FIRST_OPSET = 7


@damage_in_words
def run(model: ModelProto | str | Path, *inputs: Array | np.ndarray) -> tuple[Array, ...]:
    """Evaluate an ONNX model whose graph is one LSTM, GRU or RNN node.

    All features of the operators are supported: initial states, peepholes, `sequence_lens`, all
    directions, `layout`, `clip`, `activations`, `input_forget`, `linear_before_reset`. Where
    runtimes differ, the specification of the operator decides: `clip` also bounds c where h is
    computed from it. A sequence of length 0, which it does not mention, returns its initial state.

    Args:
        model: an `onnx.ModelProto`, or the path of a model.
        *inputs: inputs of the graph in its order, NumPy or JAX arrays; either all of those with an
            initializer may be left out, or none. `run` is differentiable in them.

    Returns:
        The outputs of the graph, among Y (T, directions, B, H), Y_h and Y_c (directions, B, H). If
        the node's layout is 1, they are (B, T, directions, H) and (B, directions, H).

    Raises:
        ImportError: if onnx is not installed.
        TypeError: if the model is neither, or inputs are not floating point.
        ValueError: if the graph, operator, an attribute, the number of inputs, a rank or a shape is
            not supported.
    """
    read = _read(model)
    graph = read.graph
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    if len(nodes) != 1:
        kinds = ", ".join(node.op_type for node in nodes) or "none"
        raise ValueError(f"run needs a graph of one LSTM, GRU or RNN node, got: {kinds}")
    (node,) = nodes
    operator_of(node)
    _check_opset(read)
    arrays = _named(node, _bind(graph, inputs))
    missing = [outer for name, outer in _inputs(node).items() if name not in arrays]
    if missing:
        origins = "; ".join(f"{outer} is {origin(graph, outer)}" for outer in missing)
        raise ValueError(
            f"{', '.join(missing)} is neither an input nor stored in the graph: {origins}"
        )
    for name, array in arrays.items():
        if name != "sequence_lens" and not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(
                f"{name} must be floating point, got {array.dtype}; pass {name}.astype(np.float32)"
            )
    results = _evaluate(node, arrays)
    missing = [output.name for output in graph.output if output.name not in results]
    if missing:
        raise ValueError(f"{', '.join(missing)} is not an output of the {node.op_type} node")
    return tuple(results[output.name] for output in graph.output)


@damage_in_words
def load(model: ModelProto | str | Path) -> tuple[tuple[Recurrence, ...], ...]:
    """Load the recurrent layers of an ONNX model, bottom first, each with one or two directions.

    The nodes must form a chain, as `export_layers`, `export_char_lm` and other exporters write it:
    each reads the Y of the node below, with concatenated directions. The rest of the graph is
    ignored. Stored initial states are loaded; those that are inputs or computed are up to the
    caller.

    Args:
        model: an `onnx.ModelProto`, or the path of a model, with stored weights.

    Returns:
        Bottom first, for each layer one `Recurrence`, or forward and backward.

    Raises:
        ImportError: if onnx is not installed.
        TypeError: if the model is neither.
        ValueError: if there is no recurrent node, the opset is below 7, weights are not stored,
            lengths or only one of two initial states are stored, or the nodes are not a chain.
    """
    read = _read(model)
    graph = read.graph
    nodes = [node for node in graph.node if node.op_type in OPERATORS]
    if not nodes:
        raise ValueError("the graph has no LSTM, GRU or RNN node")
    _check_opset(read)
    stored = stored_arrays(graph)
    for below, above in pairwise(nodes):
        check_chain(graph, stored, below, above)
    return tuple(_layer(graph, node, stored) for node in nodes)


def _layer(graph: GraphProto, node: NodeProto, stored: Arrays) -> tuple[Recurrence, ...]:
    """Return the directions of one node, with its stored arrays."""
    inputs, arrays = _inputs(node), _named(node, stored)
    whose = f"of the {node.op_type} node {node.name!r}"
    missing = [name for name in ("W", "R", "B", "P") if name in inputs and name not in arrays]
    if missing:
        origins = "; ".join(f"{name} is {origin(graph, inputs[name])}" for name in missing)
        raise ValueError(
            f"{', '.join(missing)} {whose} is not stored in the model: {origins}; pass the arrays "
            "to `read_node`"
        )
    if "sequence_lens" in arrays:
        raise ValueError(
            f"sequence_lens {whose} is stored in the model, but a layer has no lengths; use `run`, "
            "or read the weights alone with `read_node`"
        )
    names = [f"initial_{name}" for name in OPERATORS[node.op_type].state._fields]
    states = [name for name in names if name in arrays]
    for name in names:
        if states and name in inputs and name not in arrays:
            raise ValueError(
                f"{states[0]} {whose} is stored in the model, but {name} is "
                f"{origin(graph, inputs[name])}; either both must be stored, or neither"
            )
    return read_node(node, {name: arrays[name] for name in STORED if name in arrays})


def _evaluate(node: NodeProto, arrays: Arrays) -> dict[str, Array]:
    """Evaluate a node, and return its outputs by their names in the graph."""
    operator, attributes = OPERATORS[node.op_type], attributes_of(node)
    weights = {name: arrays[name] for name in ("W", "R", "B", "P") if name in arrays}
    sides = read_node(node, weights)
    batch_first = attributes.layout == 1
    xs = ranked(node, "X", arrays["X"], 3)
    xs = jnp.swapaxes(xs, 0, 1) if batch_first else xs
    batch, features = xs.shape[1:]
    rows, hidden = sides[0].params.input_kernel.shape[0], np.shape(arrays["R"])[-1]
    if features != rows:
        raise ValueError(
            f"X must have {rows} features to fit W of the {node.op_type}, got {features}"
        )
    starts = []
    for name in operator.state._fields:
        initial = arrays.get(f"initial_{name}")
        if initial is None:
            initial = jnp.zeros((len(sides), batch, hidden), xs.dtype)
        else:
            initial = ranked(node, f"initial_{name}", initial, 3)
            initial = jnp.swapaxes(initial, 0, 1) if batch_first else initial
            check_shape(node, f"initial_{name}", initial, (len(sides), batch, hidden))
        starts.append(initial)
    lengths = arrays.get("sequence_lens")
    if lengths is not None:
        check_shape(node, "sequence_lens", lengths, (batch,))
        lengths = jnp.asarray(lengths)
    ends, outputs = [], []
    for side, (params, step, reverse, _) in enumerate(sides):
        state = operator.state(*(initial[side] for initial in starts))
        end, hs = scan(step, params, xs, state, lengths=lengths, reverse=reverse)
        ends.append(end)
        outputs.append(hs)
    finals = [jnp.stack(parts, 1 if batch_first else 0) for parts in zip(*ends, strict=True)]
    y = jnp.stack(outputs, 1)  # (T, directions, B, H)
    results = [y.transpose(2, 0, 1, 3) if batch_first else y, *finals]
    return {name: array for name, array in zip(node.output, results, strict=False) if name}


# --- the graph -----------------------------------------------------------------------------------


def _read(model: ModelProto | str | Path) -> ModelProto:
    onnx = onnx_package()
    if isinstance(model, (str, Path)):
        return read_file(Path(model))
    if not isinstance(model, onnx.ModelProto):
        raise TypeError(f"model must be an onnx.ModelProto or a path, got {type(model).__name__}")
    return model


def _check_opset(model: ModelProto) -> None:
    """Raise a ValueError if the recurrent operators of a model are too old."""
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version < FIRST_OPSET:
            raise ValueError(
                f"the model must have opset {FIRST_OPSET} or later, got opset {opset.version}; "
                "export it again with a later opset"
            )


def _bind(graph: GraphProto, inputs: tuple[Array | np.ndarray, ...]) -> Arrays:
    """Return the stored arrays by name, with the inputs taking precedence."""
    stored = stored_arrays(graph)
    names = [value.name for value in graph.input]
    needed = [name for name in names if name not in stored]
    if len(inputs) not in (len(needed), len(names)):
        optional = [name for name in names if name in stored]
        raise ValueError(
            f"the graph takes {len(needed)} inputs ({', '.join(needed)})"
            + (f", or {len(names)} with {', '.join(optional)}" if optional else "")
            + f"; got {len(inputs)}"
        )
    return stored | dict(zip(needed if len(inputs) == len(needed) else names, inputs, strict=True))


def _inputs(node: NodeProto) -> dict[str, str]:
    """Return the inputs of a node: the operator's name -> the graph's name."""
    pairs = zip(OPERATORS[node.op_type].inputs, node.input, strict=False)
    return {name: outer for name, outer in pairs if outer}


def _named(node: NodeProto, arrays: Arrays) -> Arrays:
    """Return the inputs of a node that are among the arrays, by the operator's names."""
    return {name: arrays[outer] for name, outer in _inputs(node).items() if outer in arrays}
