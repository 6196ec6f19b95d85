"""Blocks of ids on disk: written as shards of ArrayRecord, read in any order through Grain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.data.download import DataError

BLOCK = 2**16  # symbols in a block
SHARD = 2**12  # blocks in a shard
OPTIONS = "group_size:1,zstd:1"  # so that each block can be read on its own


class BlockWriter:
    """Write texts to blocks, and the blocks to shards.

    A block holds as many whole texts as fit in `BLOCK` symbols, or a single longer text.

    Args:
        folder: existing folder for the shards.
        dtype: dtype of the ids.
    """

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self._folder, self._dtype = folder, dtype
        self._package, _ = packages()
        self._shard: Any = None
        self._pending: list[np.ndarray] = []
        self.lengths: list[int] = []
        """Number of symbols in each block written so far."""

    def add(self, ids: np.ndarray, sizes: np.ndarray) -> None:
        """Add texts.

        Args:
            ids: the ids of all texts, joined.
            sizes: number of ids of each text.
        """
        ends = np.cumsum(sizes)
        text = start = 0
        while text < len(sizes):
            pending = sum(map(len, self._pending))
            fitting = int(np.searchsorted(ends, start + BLOCK - pending, "right"))
            if fitting <= text and pending:
                self._flush()
                continue
            text = max(fitting, text + 1)
            self._pending.append(ids[start : ends[text - 1]])
            start = int(ends[text - 1])

    def close(self) -> None:
        """Write the last block, and close the shard."""
        self._flush()
        if self._shard is not None:
            self._shard.close()

    def _flush(self) -> None:
        block = np.concatenate([np.zeros(0, self._dtype), *self._pending])
        self._pending = []
        if not block.size:
            return
        number, place = divmod(len(self.lengths), SHARD)
        if place == 0:
            if self._shard is not None:
                self._shard.close()
            path = self._folder / f"{number:05}.array_record"
            self._shard = self._package.ArrayRecordWriter(str(path), OPTIONS)
        self._shard.write(block.tobytes())
        self.lengths.append(block.size)


class Blocks(NamedTuple):
    """Store the location of N blocks of ids, and read any of them.

    Args:
        shards: paths of the shards, in order.
        lengths: (N,), number of symbols in each block.
        dtype: dtype of the ids in the shards.
        known: V; ids from V on are replaced by the unknown symbol.
        source: the data source of Grain that reads the bytes of a block.
    """

    shards: tuple[Path, ...]
    lengths: np.ndarray
    dtype: np.dtype
    known: int
    source: Sequence[bytes]

    def read(self, number: int) -> np.ndarray:
        """Read a block.

        Args:
            number: number of the block, in [0, N).

        Returns:
            Its ids, with END, 0, after each text that ends.

        Raises:
            DataError: if the block is damaged.
        """
        folder = self.shards[0].parent
        try:
            ids = np.frombuffer(self.source[number], self.dtype)
        except (RuntimeError, ValueError, OSError) as error:
            raise _damaged(folder, error) from None
        if len(ids) != self.lengths[number]:
            raise _damaged(folder, f"block {number} has {len(ids)} symbols")
        return np.where(ids < self.known, ids, self.dtype.type(Vocabulary.unknown_id))


def open_blocks(shards: Sequence[Path], lengths: np.ndarray, dtype: np.dtype, known: int) -> Blocks:
    """Open the shards written by a `BlockWriter`.

    Args:
        shards, lengths, dtype, known: as in `Blocks`.

    Raises:
        DataError: if a package is missing.
    """
    _, grain = packages()
    source = grain.sources.ArrayRecordDataSource([str(path) for path in shards])
    return Blocks(tuple(shards), lengths, dtype, known, source)


def packages() -> tuple[ModuleType, ModuleType]:
    """Import the packages that write and read shards.

    Returns:
        The module of array_record, and grain.

    Raises:
        DataError: if one is not installed; the message says how to install it.
    """
    try:
        import grain
        from array_record.python import array_record_module  # pyright: ignore
    except ImportError:
        raise DataError(
            "reading texts from disk needs grain and array-record, which are not installed: "
            'pip install "lstm_jax[scale]"'
        ) from None
    return array_record_module, grain


def _damaged(folder: Path, reason: object) -> DataError:
    return DataError(f"{folder} is damaged ({reason}): delete it, and it will be created again")
