"""Matrices are written and converted correctly in any memory order."""

import ast
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from interop.cases import assert_identical, make_stack

import lstm_jax
from lstm_jax import interop
from lstm_jax.engines import cudnn
from lstm_jax.models import storage
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.train.run import checkpoints


def strided(array):
    """Every second element of a larger array, along every axis."""
    wide = np.zeros([2 * n for n in array.shape], array.dtype)
    view = wide[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


def by_dlpack(array):
    """A column-major JAX array, such as another framework may produce."""
    room = np.empty(array.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64  # memory that JAX uses without a copy
    columns = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape, order="F")
    columns[...] = array
    return jnp.from_dlpack(columns)


ORDERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": strided,
    "reversed": lambda a: np.flip(np.ascontiguousarray(np.flip(a))),
    "dlpack": by_dlpack,
}


def rows(array):
    """All rows equal to the first, as a view with one row in memory."""
    return np.broadcast_to(array[:1], array.shape)


WRITERS = {
    "torch": lambda layers: interop.to_torch(layers),
    "cudnn": lambda layers: interop.to_cudnn(layers),
    "keras": lambda layers: interop.to_keras(layers),
    "haiku": lambda layers: [interop.to_haiku(p) for p in layers],
    "equinox": lambda layers: [interop.to_equinox(p) for p in layers],
    "linen": lambda layers: [interop.to_linen(p) for p in layers],
    "nnx": lambda layers: [interop.to_nnx(p) for p in layers],
    "optimized nnx": lambda layers: [interop.to_nnx(p, optimized=True) for p in layers],
    "engine of cuDNN": lambda layers: [np.asarray(cudnn.flat(p)) for p in layers],
}
READERS = {
    "torch": interop.from_torch,
    "keras": interop.from_keras,
    "linen": lambda arrays: tuple(map(interop.from_linen, arrays)),
    "nnx": lambda arrays: tuple(map(interop.from_nnx, arrays)),
    "equinox": lambda arrays: tuple(map(interop.from_equinox, arrays)),
}
sizes = st.integers(1, 4)


def stack(D, H):
    return jax.tree.map(np.asarray, make_stack("lstm", D, H, num_layers=2))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(WRITERS)), st.sampled_from([*ORDERS, "broadcast"]), sizes, sizes)
def test_every_writer_writes_the_same_bytes_for_every_memory_order(writer, order, D, H):
    layers = stack(D, H)
    if order == "broadcast":
        layers = jax.tree.map(rows, layers)
    lying = layers if order == "broadcast" else jax.tree.map(ORDERS[order], layers)
    written = WRITERS[writer](lying)
    assert_identical(written, WRITERS[writer](jax.tree.map(np.ascontiguousarray, layers)))
    for array in jax.tree.leaves(written):
        assert array.flags.c_contiguous
    if writer in READERS and order in ORDERS:
        assert_identical(READERS[writer](jax.tree.map(ORDERS[order], written)), layers)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(list(ORDERS)), st.sampled_from(["lstm", "gru", "rnn"]), sizes, sizes)
def test_safetensors_store_the_arrays(tmp_path_factory, order, cell, D, H):
    layers = jax.tree.map(np.asarray, make_stack(cell, D, H))
    path = tmp_path_factory.mktemp("orders") / "layers.safetensors"
    interop.save_safetensors(path, jax.tree.map(ORDERS[order], layers))
    assert_identical(interop.load_safetensors(path), layers)


@pytest.mark.parametrize("order", ORDERS)
def test_onnx_stores_the_arrays(order):
    pytest.importorskip("onnx")
    from lstm_jax.interop.onnx import export_layers

    layers = stack(2, 3)
    models = [export_layers(jax.tree.map(ORDERS[o], layers)) for o in ("C", order)]
    assert models[0].SerializeToString() == models[1].SerializeToString()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("order", ORDERS)
def test_a_saved_model_is_restored(order, dtype, tmp_path):
    network = SequenceModel(2, 5, SequenceModelConfig(hidden_features=3), rngs=nnx.Rngs(0))
    state = nnx.state(network, nnx.Param)
    wanted = jax.tree.map(lambda a: np.asarray(a).astype(dtype).astype(np.float32), state)
    nnx.update(network, jax.tree.map(lambda a: ORDERS[order](np.asarray(a)), state))
    storage.save(tmp_path, network, {}, {"in_features": 2, "out_features": 5}, dtype=dtype)
    found = nnx.state(storage.load(tmp_path).network, nnx.Param)
    assert_identical(jax.tree.leaves(found), jax.tree.leaves(wanted))


def test_a_checkpoint_and_a_layer_read_the_matrix(tmp_path):
    (params,) = stack(2, 3)[:1]
    lying = jax.tree.map(by_dlpack, params)
    assert not np.asarray(lying.input_kernel).flags.c_contiguous
    checkpoints.save(tmp_path / "latest", lying, metadata={})
    restored, _ = checkpoints.load(tmp_path / "latest", like=params)
    assert_identical(restored, params)
    xs = np.ones((4, 1, 2), np.float32)
    for implementation in ("scan", "fused"):
        own, theirs = (lstm_jax.lstm(p, xs, implementation=implementation) for p in (params, lying))
        assert_identical(own, theirs)


def test_one_place_writes_safetensors():
    package = pathlib.Path(lstm_jax.__file__).parent
    folders = [package, pathlib.Path(checkpoints.__file__).parents[1]]
    users = set()
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("safetensors"):
                names = {alias.name for alias in node.names}
                users |= {path.name} if names & {"save", "save_file"} else set()
    assert users == {"files.py"}
