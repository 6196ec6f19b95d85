"""Whether two recurrent nodes of an ONNX graph are one above the other, and if not, why."""

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
    """Raise unless one node reads the Y of another as (T, B, directions · H).

    Args:
        graph: that both are in.
        stored: `stored_arrays` of it.
        below, above: recurrent nodes, one after the other in the graph.

    Raises:
        ValueError: that says what `above` reads instead, or through what.
    """
    between, name = _way_down(graph, above)
    refused = (
        f"the {above.op_type} node {above.name!r} does not read Y of the {below.op_type} node "
        f"{below.name!r} below it"
    )
    if name not in below.output:
        source = next((node for node in graph.node if name in node.output), None)
        words = origin(graph, name) if source is None else f"of the {source.op_type} node"
        raise ValueError(
            f"{refused}, but {name!r}, {words}: the nodes are not in a chain, one above the other; "
            "`read_node` reads each by itself"
        )
    if name != below.output[0]:
        which = OPERATORS[below.op_type].outputs[list(below.output).index(name)]
        raise ValueError(
            f"{refused}, but its {which}, the last state: the upper is not a layer on the lower; "
            "`read_node` reads each by itself"
        )
    for node in (below, above):
        if attributes_of(node).layout:
            raise ValueError(
                f"{refused} as time-major: the {node.op_type} node {node.name!r} has layout 1, and "
                "in a chain 0 alone is read"
            )
    if not _side_by_side(between, stored, below):
        kinds = ", ".join(node.op_type for node in between) or "nothing"
        raise ValueError(
            f"{refused} as (T, B, directions · H), layout 0, but through: {kinds}; that is a "
            "Squeeze of axis 1, or of two directions a Transpose (0, 2, 1, 3) and a Reshape"
        )


def _way_down(graph: GraphProto, above: NodeProto) -> tuple[list[NodeProto], str]:
    """What is between a node and the recurrent one that it reads, and the name of what it reads."""
    producers = {name: node for node in graph.node for name in node.output}
    between, name, passed = [], above.input[0], set()
    while name in producers and producers[name].op_type not in OPERATORS:
        node = producers[name]
        if name in passed:
            raise ValueError(f"the graph goes round in a circle: {name!r} hangs on itself")
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
    """Whether nodes turn Y (T, directions, B, H) into (T, B, directions · H)."""
    kinds = [node.op_type for node in between]
    if len(SIDES[attributes_of(below).direction]) == 1:
        return kinds == ["Squeeze"] and [axis % 4 for axis in _axes(between[0], stored)] == [1]
    permutations = [list(a.ints) for node in between[:1] for a in node.attribute]
    return kinds == ["Transpose", "Reshape"] and permutations == [[0, 2, 1, 3]]


def _axes(squeeze: NodeProto, stored: Mapping[str, np.ndarray]) -> list[int]:
    """The axes of a Squeeze: an input, or before opset 13 an attribute."""
    if len(squeeze.input) > 1:
        return np.atleast_1d(stored.get(squeeze.input[1], [])).tolist()
    return [int(axis) for attribute in squeeze.attribute for axis in attribute.ints]
