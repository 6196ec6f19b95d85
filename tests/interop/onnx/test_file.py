"""Damaged and malicious ONNX files are refused at once, with a message."""

import contextlib

import numpy as np
import pytest
from flax import nnx

from lstm_jax.interop.onnx import export_layers, load, run
from lstm_jax.nn.layers import LSTM

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def model():
    return export_layers(LSTM(2, 3, num_layers=2, rngs=nnx.Rngs(0)))


@pytest.fixture
def outside(model, tmp_path):
    """A model whose arrays are in a separate file, and its path."""
    path = tmp_path / "model.onnx"
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    onnx.save(copy, path, save_as_external_data=True, location="arrays.bin", size_threshold=0)
    return onnx.load(path, load_external_data=False), path


def entries(tensor):
    return {one.key: one for one in tensor.external_data}


def test_arrays_in_a_separate_file_are_read(model, outside):
    _, path = outside
    for (found,), (expected,) in zip(load(path), load(model), strict=True):
        np.testing.assert_array_equal(found.params.input_kernel, expected.params.input_kernel)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("length", str(6 * 2**30), "which has"),
        ("offset", str(10**12), "which has"),
        ("offset", "-8", "at bytes -8"),
        ("location", "../../etc/passwd", "is not a file in its folder"),
        ("location", "nothing.bin", "is not a file in its folder"),
        ("location", ".", "is not a file in its folder"),
    ],
)
def test_claims_about_a_separate_file_are_checked(key, value, message, outside):
    changed, path = outside
    entries(changed.graph.initializer[0])[key].value = value
    path.write_bytes(changed.SerializeToString())
    with pytest.raises(ValueError, match=message):
        load(path)


def test_too_much_data_is_refused_before_it_is_read(outside):
    changed, path = outside
    with (path.parent / "arrays.bin").open("ab") as file:
        file.truncate(3 * 2**30)  # a sparse file, which takes no space
    entry = entries(changed.graph.initializer[0])
    entry["length"].value = str(2 * 2**30)
    path.write_bytes(changed.SerializeToString())
    with pytest.raises(ValueError, match="at most 1,073,741,824 are read"):
        load(path)


def test_a_cycle_is_refused(model):
    round_about = onnx.ModelProto.FromString(model.SerializeToString())
    upper = [node for node in round_about.graph.node if node.op_type == "LSTM"][1]
    nodes = [
        onnx.helper.make_node("Identity", [a], [b])
        for a, b in (("round", "about"), ("about", "round"))
    ]
    upper.input[0] = "round"
    round_about.graph.node.extend(nodes)
    with pytest.raises(ValueError, match="has a cycle"):
        load(round_about)


def test_damaged_files_are_refused_with_a_message(model, tmp_path):
    content = model.SerializeToString()
    rng = np.random.default_rng(0)
    path = tmp_path / "model.onnx"
    for stop in rng.integers(0, len(content), 20):
        path.write_bytes(content[:stop])
        with pytest.raises(ValueError, match=r"ONNX|graph"):
            load(path)
    for place in rng.integers(0, len(content), 200):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        for read in (load, run):
            with contextlib.suppress(ValueError, TypeError):  # it may be a weight
                read(path)


def damaged_nodes(graph):
    """Change one thing in one node after another, and restore it."""
    for node in graph.node:
        for change in (
            lambda n: n.ClearField("input"),
            lambda n: n.ClearField("output"),
            lambda n: n.ClearField("attribute"),
            lambda n: n.ClearField("op_type"),
        ):
            before = node.SerializeToString()
            change(node)
            yield node.op_type
            node.ParseFromString(before)


def test_incomplete_nodes_are_refused_with_a_message(model):
    damaged = onnx.ModelProto.FromString(model.SerializeToString())
    refused = 0
    for _ in damaged_nodes(damaged.graph):
        try:
            load(damaged)
        except ValueError:
            refused += 1
    assert refused > 5
