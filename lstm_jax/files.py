"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from safetensors.numpy import save


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that nobody ever finds half of it.

    Args:
        path: where it belongs; an older file there is replaced.
        content: bytes, or text, to be written as `encoded`.

    Raises:
        OSError: as the operating system says; what was at `path` is then still there.
    """
    with written_whole(path) as partial:
        partial.write_bytes(encoded(content) if isinstance(content, str) else content)


def encoded(text: str) -> bytes:
    """Encode a text as UTF-8, what it has no form for, lone surrogates, as \\udXXX.

    Such stand in paths that are no UTF-8. In JSON that is what they are written as.

    Args:
        text: any.

    Returns:
        UTF-8.
    """
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, and move what was written to its place at the end.

    The file is written beside its place, under a name of its own with the same suffix, brought to
    the disk and renamed. Where the block raises, the partial file goes and `path` stays as it was.

    Args:
        path: where the file belongs; an older one is replaced.

    Yields:
        The path to write to, in the same folder.

    Raises:
        OSError: as the operating system says.
    """
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or what was renamed in a folder, to the disk.

    Windows opens no folders and syncs no file that is only read: there it is left to the system.

    Args:
        path: of the file or the folder.

    Raises:
        OSError: as the operating system says.
    """
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def safetensors_bytes(
    arrays: Mapping[str, ArrayLike],
    dtype: DTypeLike | None = None,
    *,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """Lay arrays out as a safetensors file, row by row, in whatever order they lie in memory.

    The format knows one order, C's, and its writer copies memory as it lies: of a transposed
    array, or one that came by dlpack from another framework, it would store another matrix.

    Args:
        arrays: by their names.
        dtype: that they are stored in; their own if None.
        metadata: what stands beside them; nothing if None.

    Returns:
        What belongs in the file.
    """
    ordered = {name: np.array(array, dtype, order="C") for name, array in arrays.items()}
    return save(ordered, metadata)
