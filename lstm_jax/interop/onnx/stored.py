"""The stored arrays of an ONNX graph, and the origin of its other values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_jax.interop.onnx.format import onnx_package

if TYPE_CHECKING:
    from onnx import GraphProto

# The attributes of a Constant that are plain numbers, with their dtypes.
NUMBERS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
# Its attributes that are not read, with their content.
REFUSED = {
    "sparse_value": "a sparse tensor",
    "value_string": "a text",
    "value_strings": "texts",
}


def stored_arrays(graph: GraphProto) -> dict[str, np.ndarray]:
    """Collect the stored arrays of a graph: initializers and Constants, also through Identity.

    Args:
        graph: graph of a model.

    Returns:
        Arrays by their names in the graph.
    """
    onnx = onnx_package()
    stored = {array.name: onnx.numpy_helper.to_array(array) for array in graph.initializer}
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
    """Describe where a value that is not among `stored_arrays` comes from.

    Args:
        graph: graph of a model.
        name: name of the value in the graph.

    Returns:
        A phrase, such as "an input of the graph".
    """
    if name in {value.name for value in graph.input}:
        return "an input of the graph"
    if name in {array.values.name for array in graph.sparse_initializer}:
        return "a sparse tensor, which is not supported; store it as a dense tensor"
    producers = [node for node in graph.node if name in node.output]
    if not producers:
        return "nothing in the graph"
    for attribute in producers[0].attribute:
        if producers[0].op_type == "Constant" and attribute.name in REFUSED:
            content = REFUSED[attribute.name]
            return f"{content} ({attribute.name}), which is not supported; store a dense tensor"
    return f"computed by the {producers[0].op_type} node {producers[0].name!r}"
