"""Files that are written completely or not at all, and safetensors files."""

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
MOST_ARRAYS = 10_000  # per file: enough for hundreds of layers, and still read in a moment


def cache() -> Path:
    """Return the folder for everything that can be downloaded or built again."""
    return Path(os.environ.get(CACHE_VARIABLE) or user_cache_path("lstm_jax")).expanduser()


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file completely or not at all, so that nobody can read half of it.

    Args:
        path: of the file; an existing file is replaced.
        content: bytes, or text, which is written as by `encoded`.

    Raises:
        OSError: if the file cannot be written; an existing file is then unchanged.
    """
    with written_whole(path) as partial:
        partial.write_bytes(encoded(content) if isinstance(content, str) else content)


def encoded(text: str) -> bytes:
    """Encode a text as UTF-8, with lone surrogates escaped as \\udXXX.

    Lone surrogates occur in paths that are not UTF-8, and this is how JSON writes them.

    Args:
        text: any text.

    Returns:
        The bytes in UTF-8.
    """
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and move the file to its final path at the end.

    The temporary file is in the same folder and has the same suffix; it is flushed to the disk and
    then renamed. If the block raises an error, it is removed and `path` does not change.

    Args:
        path: of the file; an existing file is replaced.

    Yields:
        The temporary path.

    Raises:
        OSError: if the file cannot be written.
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
    """Flush a file, or the renames in a folder, to the disk.

    Windows can neither open folders nor flush a file that is open for reading, so nothing is done
    there.

    Args:
        path: of the file or the folder.

    Raises:
        OSError: if it cannot be opened or flushed.
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
    """Serialize arrays as a safetensors file, whatever their order in memory.

    The format only has C order, and its writer copies the memory of an array unchanged. It would
    store the wrong matrix for an array that is transposed, or came by dlpack from another
    framework.

    Args:
        arrays: name -> array.
        dtype: of the stored arrays; None to keep their own.
        metadata: strings to store with the arrays.

    Returns:
        The content of the file.
    """
    ordered = {name: np.array(array, dtype, order="C") for name, array in arrays.items()}
    return save(ordered, metadata)


def safetensors_names(file: IO[bytes]) -> set[str]:
    """Read the names of the arrays in a safetensors file, without trusting its header.

    Args:
        file: opened for reading, at its start.

    Raises:
        ValueError: if the header claims more than the file holds, or has too many arrays.
    """
    size = int.from_bytes(file.read(8), "little")
    if size > MOST_NAMES:
        raise ValueError(f"its header claims {size:,} bytes, but at most {MOST_NAMES:,} are read")
    start = file.read(size)
    if len(start) < size:
        raise ValueError(f"its header claims {size:,} bytes but has {len(start):,}")
    try:
        names = set(json.loads(start)) - {"__metadata__"}
    except (ValueError, RecursionError, TypeError) as error:
        raise ValueError(f"its header is damaged: {error!r:.200}") from None
    if len(names) > MOST_ARRAYS:
        raise ValueError(f"it holds {len(names):,} arrays, but at most {MOST_ARRAYS:,} are read")
    return names
