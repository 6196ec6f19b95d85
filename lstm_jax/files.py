"""Files that are there whole, or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from platformdirs import user_cache_path
from safetensors.numpy import save

CACHE_VARIABLE = "LSTM_JAX_CACHE"
MOST_NAMES = 10_000_000  # bytes of the names and shapes in a safetensors file
MOST_ARRAYS = 10_000  # of a model: hundreds of layers, and still read in a moment


def cache() -> Path:
    """Return the folder of everything that can be downloaded, or made, again."""
    return Path(os.environ.get(CACHE_VARIABLE) or user_cache_path("lstm_jax")).expanduser()


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


def safetensors_names(file: IO[bytes]) -> set[str]:
    """Read the names of the arrays in a safetensors file, and allocate nothing that it claims.

    Args:
        file: opened for reading, at its start.

    Raises:
        ValueError: a header that claims more than the file holds, or more arrays than any model.
    """
    size = int.from_bytes(file.read(8), "little")
    if size > MOST_NAMES:
        raise ValueError(f"its header claims {size:,} bytes, and at most {MOST_NAMES:,} are read")
    start = file.read(size)
    if len(start) < size:
        raise ValueError(f"its header claims {size:,} bytes and has {len(start):,}")
    try:
        names = set(json.loads(start)) - {"__metadata__"}
    except (ValueError, RecursionError, TypeError) as error:
        raise ValueError(f"its header is damaged: {error!r:.200}") from None
    if len(names) > MOST_ARRAYS:
        raise ValueError(f"it holds {len(names):,} arrays, and {MOST_ARRAYS:,} at most are read")
    return names
