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
    SIDES,
    attributes_of,
    check_shape,
    operator_of,
    ranked,
)
from lstm_jax.interop.onnx.format import OPERATORS, onnx_package
from lstm_jax.interop.onnx.node import Recurrence, read_node
from lstm_jax.recurrence import scan

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

Arrays = Mapping[str, Array | np.ndarray]


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
        TypeError: for a model that is neither.
        ValueError: for another graph, operator, attribute, number of inputs, rank or shape.
    """
    graph = _read(model).graph
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    if len(nodes) != 1:
        kinds = ", ".join(node.op_type for node in nodes) or "none"
        raise ValueError(f"run takes a graph of one LSTM, GRU or RNN node; this one has: {kinds}")
    (node,) = nodes
    operator_of(node)
    arrays = _named(node, _bind(graph, inputs))
    missing = [outer for name, outer in _given(node).items() if name not in arrays]
    if missing:
        raise ValueError(f"{', '.join(missing)} is neither an input nor stored in the graph")
    results = _evaluate(node, arrays)
    missing = [output.name for output in graph.output if output.name not in results]
    if missing:
        raise ValueError(f"{', '.join(missing)} is no output of the {node.op_type} node")
    return tuple(results[output.name] for output in graph.output)


def load(model: ModelProto | str | Path) -> tuple[tuple[Recurrence, ...], ...]:
    """The recurrent layers of an ONNX model, bottom first, each with its one or two directions.

    The nodes must be a chain, as `export_layers`, `export_char_lm` and other exporters write it:
    each reads the Y of the one below, its directions side by side. What else is in the graph,
    before and after, is not looked at.

    Args:
        model: an `onnx.ModelProto`, or the path of one; the weights are stored in it.

    Returns:
        Bottom first, for each layer one `Recurrence`, or forward and backward.

    Raises:
        ImportError: where onnx is not installed.
        TypeError: for a model that is neither.
        ValueError: for no recurrent node, weights that are not stored, or nodes not in a chain.
    """
    graph = _read(model).graph
    nodes = [node for node in graph.node if node.op_type in OPERATORS]
    if not nodes:
        raise ValueError("the graph has no LSTM, GRU or RNN node")
    stored = _stored(graph)
    for below, above in pairwise(nodes):
        _check_chain(graph, stored, below, above)
    layers = []
    for node in nodes:
        arrays = _named(node, stored)
        weights = [name for name in ("W", "R", "B", "P") if name in _given(node)]
        absent = [name for name in weights if name not in arrays]
        if absent:
            raise ValueError(
                f"{', '.join(absent)} of the {node.op_type} node {node.name!r} is not stored in "
                "the model; give the arrays to `read_node`"
            )
        layers.append(read_node(node, {name: arrays[name] for name in weights}))
    return tuple(layers)


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
    for side, (params, step, reverse) in enumerate(sides):
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
        return onnx.load(model)
    if not isinstance(model, onnx.ModelProto):
        raise TypeError(f"model must be an onnx.ModelProto or a path, got {type(model).__name__}")
    return model


def _stored(graph: GraphProto) -> dict[str, np.ndarray]:
    """The arrays that the model holds, by name: initializers, and Constant nodes."""
    to_array = onnx_package().numpy_helper.to_array
    stored = {one.name: to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored[node.output[0]] = to_array(node.attribute[0].t)
    return stored


def _bind(graph: GraphProto, inputs: tuple[Array | np.ndarray, ...]) -> Arrays:
    """Arrays by name: what the model holds, and the inputs over it."""
    stored = _stored(graph)
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


def _check_chain(
    graph: GraphProto, stored: Mapping[str, np.ndarray], below: NodeProto, above: NodeProto
) -> None:
    """Raise unless `above` reads the Y of `below` as (T, B, directions · H)."""
    producers = {name: node for node in graph.node for name in node.output}
    between, name = [], above.input[0]
    while name in producers and producers[name].op_type not in OPERATORS:
        if producers[name].op_type != "Identity":
            between.insert(0, producers[name])
        name = producers[name].input[0] if producers[name].input else ""
    layouts = {attributes_of(node).layout for node in (below, above)}
    sides = SIDES[attributes_of(below).direction]
    kinds = [node.op_type for node in between]
    if len(sides) == 1:
        fits = kinds == ["Squeeze"] and _axes(between[0], stored) == [1]
    else:
        permutations = [list(a.ints) for node in between[:1] for a in node.attribute]
        fits = kinds == ["Transpose", "Reshape"] and permutations == [[0, 2, 1, 3]]
    if name != below.output[0] or layouts != {0} or not fits:
        raise ValueError(
            f"the {above.op_type} node {above.name!r} does not read Y of the {below.op_type} node "
            f"{below.name!r} below it as (T, B, directions · H), layout 0, but through: "
            f"{', '.join(kinds) or 'nothing'}"
        )


def _axes(squeeze: NodeProto, stored: Mapping[str, np.ndarray]) -> list[int]:
    """The axes of a Squeeze: an input, or before opset 13 an attribute."""
    if len(squeeze.input) > 1:
        return np.atleast_1d(stored.get(squeeze.input[1], [])).tolist()
    return [int(axis) for attribute in squeeze.attribute for axis in attribute.ints]
