"""Import from ONNX: evaluate a model of one LSTM, GRU or RNN node; read the layers of a chain."""

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

    Everything the operators know is followed: initial states, peepholes, `sequence_lens`, all
    directions, `layout`, `clip`, `activations`, `input_forget`, `linear_before_reset`. Where
    runtimes differ, the operator's text decides: `clip` bounds what h reads of c too. A sequence
    of length 0, of which it is silent, gives back its initial state.

    Args:
        model: an `onnx.ModelProto`, or the path of one.
        *inputs: the graph's inputs in its order, of which those with an initializer may be left
            out, all or none. Arrays of NumPy or JAX; `run` may be differentiated in them.

    Returns:
        The graph's outputs: those of Y (T, directions, B, H), Y_h and Y_c (directions, B, H) that
        the model has; (B, T, directions, H) and (B, directions, H) where the node's layout is 1.

    Raises:
        ImportError: where onnx is not installed.
        TypeError: for a model that is neither, or inputs that are no floating point.
        ValueError: for another graph, operator, attribute, number of inputs, rank or shape.
    """
    read = _read(model)
    graph = read.graph
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    if len(nodes) != 1:
        kinds = ", ".join(node.op_type for node in nodes) or "none"
        raise ValueError(f"run takes a graph of one LSTM, GRU or RNN node; this one has: {kinds}")
    (node,) = nodes
    operator_of(node)
    _check_opset(read)
    arrays = _named(node, _bind(graph, inputs))
    missing = [outer for name, outer in _given(node).items() if name not in arrays]
    if missing:
        whence = "; ".join(f"{outer} is {origin(graph, outer)}" for outer in missing)
        raise ValueError(
            f"{', '.join(missing)} is neither an input nor stored in the graph: {whence}"
        )
    for name, array in arrays.items():
        if name != "sequence_lens" and not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(
                f"{name} is {array.dtype}, and the operator's are floating point: give "
                f"{name}.astype(np.float32)"
            )
    results = _evaluate(node, arrays)
    missing = [output.name for output in graph.output if output.name not in results]
    if missing:
        raise ValueError(f"{', '.join(missing)} is no output of the {node.op_type} node")
    return tuple(results[output.name] for output in graph.output)


@damage_in_words
def load(model: ModelProto | str | Path) -> tuple[tuple[Recurrence, ...], ...]:
    """The recurrent layers of an ONNX model, bottom first, each with its one or two directions.

    The nodes must be a chain, as `export_layers`, `export_char_lm` and other exporters write it:
    each reads the Y of the one below, its directions side by side. What else is in the graph,
    before and after, is not looked at. Initial states that are stored come along; those that the
    graph takes or computes are the caller's.

    Args:
        model: an `onnx.ModelProto`, or the path of one; the weights are stored in it.

    Returns:
        Bottom first, for each layer one `Recurrence`, or forward and backward.

    Raises:
        ImportError: where onnx is not installed.
        TypeError: for a model that is neither.
        ValueError: for no recurrent node, an opset below 7, weights that are not stored, lengths
            and one initial state of two that are, or nodes not in a chain.
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
    """The directions of one node, with all that is stored of it."""
    given, arrays = _given(node), _named(node, stored)
    whose = f"of the {node.op_type} node {node.name!r}"
    absent = [name for name in ("W", "R", "B", "P") if name in given and name not in arrays]
    if absent:
        whence = "; ".join(f"{name} is {origin(graph, given[name])}" for name in absent)
        raise ValueError(
            f"{', '.join(absent)} {whose} is not stored in the model: {whence}; give the arrays to "
            "`read_node`"
        )
    if "sequence_lens" in arrays:
        raise ValueError(
            f"sequence_lens {whose} is stored in the model, and a layer holds no lengths: `run` "
            "follows them, and `read_node` reads the weights alone"
        )
    states = [f"initial_{name}" for name in OPERATORS[node.op_type].state._fields]
    held = [name for name in states if name in arrays]
    for name in states:
        if held and name in given and name not in arrays:
            raise ValueError(
                f"{held[0]} {whose} is stored in the model, but {name} is "
                f"{origin(graph, given[name])}: of a state all is stored or nothing"
            )
    return read_node(node, {name: arrays[name] for name in STORED if name in arrays})


def _evaluate(node: NodeProto, arrays: Arrays) -> dict[str, Array]:
    """The node's outputs by their names in the graph."""
    operator, attributes = OPERATORS[node.op_type], attributes_of(node)
    weights = {name: arrays[name] for name in ("W", "R", "B", "P") if name in arrays}
    sides = read_node(node, weights)
    batch_first = attributes.layout == 1
    xs = ranked(node, "X", arrays["X"], 3)
    xs = jnp.swapaxes(xs, 0, 1) if batch_first else xs
    batch, features = xs.shape[1:]
    rows, hidden = sides[0].params.input_kernel.shape[0], np.shape(arrays["R"])[-1]
    if features != rows:
        raise ValueError(f"X has {features} features, but W of the {node.op_type} reads {rows}")
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
    """Raise for a model whose recurrent operators are of an older kind."""
    for one in model.opset_import:
        if one.domain in ("", "ai.onnx") and one.version < FIRST_OPSET:
            raise ValueError(
                f"the model is of opset {one.version}; LSTM, GRU and RNN are read as ONNX has them "
                f"from opset {FIRST_OPSET} on: export it anew with that or a later one"
            )


def _bind(graph: GraphProto, inputs: tuple[Array | np.ndarray, ...]) -> Arrays:
    """Arrays by name: what the model holds, and the inputs over it."""
    stored = stored_arrays(graph)
    names = [one.name for one in graph.input]
    needed = [name for name in names if name not in stored]
    if len(inputs) not in (len(needed), len(names)):
        optional = [name for name in names if name in stored]
        raise ValueError(
            f"the graph takes {len(needed)} inputs ({', '.join(needed)})"
            + (f", or {len(names)} with {', '.join(optional)}" if optional else "")
            + f"; got {len(inputs)}"
        )
    return stored | dict(zip(needed if len(inputs) == len(needed) else names, inputs, strict=True))


def _given(node: NodeProto) -> dict[str, str]:
    """The operator's inputs that the node has: its name for it -> the graph's."""
    pairs = zip(OPERATORS[node.op_type].inputs, node.input, strict=False)
    return {name: outer for name, outer in pairs if outer}


def _named(node: NodeProto, arrays: Arrays) -> Arrays:
    """Arrays under the operator's names for them; those that are not there are left out."""
    return {name: arrays[outer] for name, outer in _given(node).items() if outer in arrays}
