"""What an ONNX graph stores: initializers and Constant nodes; and of the rest, where it is from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_jax.interop.onnx.format import onnx_package

if TYPE_CHECKING:
    from onnx import GraphProto

# A Constant's forms that are arrays, and the dtype of those that are written as plain numbers.
NUMBERS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
# Its other forms, and what they hold.
REFUSED = {
    "sparse_value": "a sparse tensor",
    "value_string": "a text",
    "value_strings": "texts",
}


def stored_arrays(graph: GraphProto) -> dict[str, np.ndarray]:
    """Collect the arrays that a graph holds: initializers and Constants, also through Identity.

    Args:
        graph: of a model.

    Returns:
        Array by its name in the graph.
    """
    onnx = onnx_package()
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]]
        if node.op_type != "Constant":
            continue
        for attribute in node.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            if attribute.name == "value":
                stored[node.output[0]] = onnx.numpy_helper.to_array(value)
            elif attribute.name in NUMBERS:
                stored[node.output[0]] = np.asarray(value, NUMBERS[attribute.name])
    return stored


def origin(graph: GraphProto, name: str) -> str:
    """Say where a value that is not among `stored_arrays` comes from.

    Args:
        graph: of a model.
        name: of the value in the graph.

    Returns:
        Words that follow the value's name, such as "an input of the graph".
    """
    if name in {one.name for one in graph.input}:
        return "an input of the graph"
    if name in {one.values.name for one in graph.sparse_initializer}:
        return "a sparse tensor, which is not read: store it as a dense one"
    producers = [node for node in graph.node if name in node.output]
    if not producers:
        return "nothing in the graph"
    for attribute in producers[0].attribute:
        if producers[0].op_type == "Constant" and attribute.name in REFUSED:
            held = REFUSED[attribute.name]
            return f"{held} ({attribute.name}), which is not read: store it as a dense tensor"
    return f"computed by the {producers[0].op_type} node {producers[0].name!r}"
