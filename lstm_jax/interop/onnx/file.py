"""A file of ONNX, which may be damaged, or meant to do harm: nothing that it claims is believed."""

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

MOST_BYTES = 2**30  # of the arrays that a model keeps in files beside it


def read_file(path: Path) -> ModelProto:
    """Read a model, with the arrays that it keeps in files beside it.

    Args:
        path: of the model.

    Raises:
        ImportError: onnx is not installed.
        OSError: the file cannot be read.
        ValueError: it is no ONNX, or names files that are not in its folder, are too short for what
            is said of them, or hold more than 1 GiB together.
    """
    onnx = onnx_package()
    from google.protobuf.message import DecodeError  # a dependency of onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ValueError(f"{path} is no ONNX model, or a damaged one: {error}") from None
    outside = [one for one in model.graph.initializer if one.data_location == one.EXTERNAL]
    sizes = [_size(path, one) for one in outside]
    if sum(sizes) > MOST_BYTES:
        raise ValueError(
            f"{path} keeps {sum(sizes):,} bytes of arrays in other files, and at most "
            f"{MOST_BYTES:,} are read: read them yourself, and give them to `read_node`"
        )
    if outside:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    return model


def _size(path: Path, tensor: TensorProto) -> int:
    """Bytes of an array in another file, once the file is seen to hold them."""
    entries = {one.key: one.value for one in tensor.external_data}
    place = (path.parent / entries.get("location", "")).resolve()
    if not place.is_relative_to(path.parent.resolve()) or not place.is_file():
        raise ValueError(
            f"{path} keeps {tensor.name!r} in {entries.get('location')!r}, which is no file in its "
            "folder"
        )
    held = place.stat().st_size
    offset = int(entries.get("offset", 0))
    size = int(entries.get("length", held - offset))
    if offset < 0 or size < 0 or offset + size > held:
        raise ValueError(
            f"{path} keeps {tensor.name!r} at bytes {offset:,} to {offset + size:,} of "
            f"{place.name}, which has {held:,}"
        )
    return size


def damage_in_words(read: Callable[P, R]) -> Callable[P, R]:
    """Let a reader of graphs raise a ValueError where a damaged graph trips it up.

    Args:
        read: expects a valid graph.
    """

    @functools.wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except (AttributeError, IndexError, KeyError, OverflowError, RecursionError) as error:
            raise ValueError(f"the graph is damaged, or no valid ONNX: {error!r}") from error

    return reading
