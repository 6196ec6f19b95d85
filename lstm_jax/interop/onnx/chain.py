"""Check that the recurrent nodes of an ONNX graph form a chain of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_jax.interop.onnx.attributes import SIDES, attributes_of
from lstm_jax.interop.onnx.format import OPERATORS
from lstm_jax.interop.onnx.stored import origin

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def check_chain(
    graph: GraphProto, stored: Mapping[str, np.ndarray], below: NodeProto, above: NodeProto
) -> None:
    """Check that one node reads the Y of another as (T, B, directions · H).

    Args:
        graph: graph of both nodes.
        stored: `stored_arrays` of the graph.
        below, above: consecutive recurrent nodes of the graph.

    Raises:
        ValueError: if it does not; the message says what `above` reads instead.
    """
    between, name = _way_down(graph, above)
    problem = (
        f"the {above.op_type} node {above.name!r} does not read Y of the {below.op_type} node "
        f"{below.name!r} below it"
    )
    if name not in below.output:
        source = next((node for node in graph.node if name in node.output), None)
        where = origin(graph, name) if source is None else f"of the {source.op_type} node"
        raise ValueError(
            f"{problem}, but {name!r}, {where}: the nodes do not form a chain; read each node with "
            "`read_node`"
        )
    if name != below.output[0]:
        which = OPERATORS[below.op_type].outputs[list(below.output).index(name)]
        raise ValueError(
            f"{problem}, but its {which}, the last state: the nodes do not form a chain; read each "
            "node with `read_node`"
        )
    for node in (below, above):
        if attributes_of(node).layout:
            raise ValueError(
                f"{problem} as time-major: the {node.op_type} node {node.name!r} has layout 1, but "
                "a chain must have layout 0"
            )
    if not _side_by_side(between, stored, below):
        kinds = ", ".join(node.op_type for node in between) or "nothing"
        raise ValueError(
            f"{problem} as (T, B, directions · H), layout 0, but through: {kinds}; expected a "
            "Squeeze of axis 1, or for two directions a Transpose (0, 2, 1, 3) and a Reshape"
        )


def _way_down(graph: GraphProto, above: NodeProto) -> tuple[list[NodeProto], str]:
    """Return the nodes between a node and the recurrent one that it reads, and the value's name."""
    producers = {name: node for node in graph.node for name in node.output}
    between, name, passed = [], above.input[0], set()
    while name in producers and producers[name].op_type not in OPERATORS:
        node = producers[name]
        if name in passed:
            raise ValueError(f"the graph has a cycle: {name!r} depends on itself")
        passed.add(name)
        if not node.input:
            break
        if node.op_type != "Identity":
            between.insert(0, node)
        name = node.input[0]
    return between, name


def _side_by_side(
    between: list[NodeProto], stored: Mapping[str, np.ndarray], below: NodeProto
) -> bool:
    """Return whether nodes convert Y (T, directions, B, H) to (T, B, directions · H)."""
    kinds = [node.op_type for node in between]
    if len(SIDES[attributes_of(below).direction]) == 1:
        return kinds == ["Squeeze"] and [axis % 4 for axis in _axes(between[0], stored)] == [1]
    permutations = [list(a.ints) for node in between[:1] for a in node.attribute]
    return kinds == ["Transpose", "Reshape"] and permutations == [[0, 2, 1, 3]]


def _axes(squeeze: NodeProto, stored: Mapping[str, np.ndarray]) -> list[int]:
    """Return the axes of a Squeeze: an input, or before opset 13 an attribute."""
    if len(squeeze.input) > 1:
        return np.atleast_1d(stored.get(squeeze.input[1], [])).tolist()
    return [int(axis) for attribute in squeeze.attribute for axis in attribute.ints]
