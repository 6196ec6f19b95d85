"""Blocks of ids on the disk: written to shards of ArrayRecord, read anywhere through Grain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.data.download import DataError

BLOCK = 2**16  # symbols
SHARD = 2**12  # blocks
OPTIONS = "group_size:1,zstd:1"  # each block is read alone


class BlockWriter:
    """Write texts to blocks, and the blocks to shards.

    A block holds whole texts one after the other, as many as fit `BLOCK` symbols, and one that is
    longer alone.

    Args:
        folder: of the shards; it exists.
        dtype: of the ids.
    """

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self._folder, self._dtype = folder, dtype
        self._package, _ = packages()
        self._shard: Any = None
        self._pending: list[np.ndarray] = []
        self.lengths: list[int] = []
        """Symbols of each block that was written."""

    def add(self, ids: np.ndarray, sizes: np.ndarray) -> None:
        """Take more texts.

        Args:
            ids: of all of them, one text after the other.
            sizes: how many are each text's.
        """
        ends = np.cumsum(sizes)
        text = at = 0
        while text < len(sizes):
            held = sum(map(len, self._pending))
            fitting = int(np.searchsorted(ends, at + BLOCK - held, "right"))
            if fitting <= text and held:
                self._flush()
                continue
            text = max(fitting, text + 1)
            self._pending.append(ids[at : ends[text - 1]])
            at = int(ends[text - 1])

    def close(self) -> None:
        """Write what is left."""
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
    """Blocks of ids, of which any can be read.

    Args:
        shards: paths, in their order.
        lengths: (N,), symbols of each block.
        dtype: of the ids, as they were written.
        known: V: ids from V on are unknown.
    """

    shards: tuple[Path, ...]
    lengths: np.ndarray
    dtype: np.dtype
    known: int
    source: Sequence[bytes]

    def read(self, number: int) -> np.ndarray:
        """Read a block.

        Args:
            number: of the block, in [0, N).

        Returns:
            Its ids; 0, END, behind each text that ends.

        Raises:
            DataError: it is not as it was written.
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
    """Open what a `BlockWriter` wrote.

    Args:
        shards, lengths, dtype, known: as in `Blocks`.

    Raises:
        DataError: a package is missing.
    """
    _, grain = packages()
    source = grain.sources.ArrayRecordDataSource([str(path) for path in shards])
    return Blocks(tuple(shards), lengths, dtype, known, source)


def packages() -> tuple[ModuleType, ModuleType]:
    """Import what reads and writes shards.

    Returns:
        array_record's module, and grain.

    Raises:
        DataError: one is not installed; it says how it is.
    """
    try:
        import grain
        from array_record.python import array_record_module  # pyright: ignore
    except ImportError:
        raise DataError(
            "texts are read from the disk by grain and array-record, and they are not installed: "
            'pip install "lstm_jax[scale]"'
        ) from None
    return array_record_module, grain


def _damaged(folder: Path, why: object) -> DataError:
    return DataError(f"{folder} is damaged ({why}): delete it, and it will be made again")
