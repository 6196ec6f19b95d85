"""Read ONNX files safely, even if they are damaged or malicious."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from lstm_jax.interop.onnx.format import onnx_package

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

P = ParamSpec("P")
R = TypeVar("R")

MOST_BYTES = 2**30  # limit of the arrays that a model stores in separate files


def read_file(path: Path) -> ModelProto:
    """Read a model, with the arrays that it stores in separate files.

    Args:
        path: path of the model.

    Raises:
        ImportError: if onnx is not installed.
        OSError: if the file cannot be read.
        ValueError: if it is not an ONNX file, or its arrays are in files outside its folder, that
            are too short, or that are larger than 1 GiB together.
    """
    onnx = onnx_package()
    from google.protobuf.message import DecodeError  # a dependency of onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ValueError(f"{path} is not an ONNX model, or is damaged: {error}") from None
    external = [array for array in model.graph.initializer if array.data_location == array.EXTERNAL]
    sizes = [_size(path, array) for array in external]
    if sum(sizes) > MOST_BYTES:
        raise ValueError(
            f"{path} stores {sum(sizes):,} bytes of arrays in other files, but at most "
            f"{MOST_BYTES:,} are read; read them yourself, and pass them to `read_node`"
        )
    if external:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    return model


def _size(path: Path, tensor: TensorProto) -> int:
    """Return the size of an array in another file, after checking that the file contains it."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    place = (path.parent / entries.get("location", "")).resolve()
    if not place.is_relative_to(path.parent.resolve()) or not place.is_file():
        raise ValueError(
            f"{path} stores {tensor.name!r} in {entries.get('location')!r}, which is not a file in "
            "its folder"
        )
    total = place.stat().st_size
    offset = int(entries.get("offset", 0))
    size = int(entries.get("length", total - offset))
    if offset < 0 or size < 0 or offset + size > total:
        raise ValueError(
            f"{path} stores {tensor.name!r} at bytes {offset:,} to {offset + size:,} of "
            f"{place.name}, which has only {total:,}"
        )
    return size


def damage_in_words(read: Callable[P, R]) -> Callable[P, R]:
    """Wrap a reader of graphs so that it raises a ValueError for a damaged graph.

    Args:
        read: function that expects a valid graph.
    """

    @functools.wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except (AttributeError, IndexError, KeyError, OverflowError, RecursionError) as error:
            raise ValueError(f"the graph is damaged, or is not valid ONNX: {error!r}") from error

    return reading
