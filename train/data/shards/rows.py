"""An epoch of blocks: every symbol once, in rows that go on from window to window."""

from __future__ import annotations

import functools

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.data.shards.store import Blocks
from lstm_jax.train.data.text import window_of

END = Vocabulary.end_id
STEPS = 5000  # of an epoch at most, so that a run is judged, and its model kept, now and then


def count_parts(symbols: int, *, rows: int, length: int) -> int:
    """Say into how many epochs a pass over the blocks is cut, each of at most `STEPS`.

    Args:
        symbols: of all blocks.
        rows: B.
        length: T, of a window.

    Returns:
        The number; 1 for a single row, which would end before the last of equal parts does.
    """
    return -(-symbols // (rows * length * STEPS)) if rows > 1 else 1


def windows(
    blocks: Blocks, order: np.ndarray, *, rows: int, length: int, parts: int = 1, part: int = 0
) -> Epoch:
    """Lay the blocks of a pass into rows, and cut those into windows.

    The blocks stand in their order one after the other, and that line is cut into `rows` pieces of
    equal length, but for the last. A row reads its piece from left to right; a block begins as a
    text does, with END and a reset, and so does a row. No block is read before a window needs it,
    and of each row the one that it is in is kept.

    Args:
        blocks: at least one.
        order: their numbers, each once.
        rows: B.
        length: T, of a window.
        parts: into which the pass is cut, of as many windows each.
        part: which of them, from 0 on; its rows go on where those of the part before ended.

    Returns:
        Batches as `Packed.windows` gives them, as many for every order and part. Some rows of a
        batch are made of those rows' blocks alone.
    """
    ends = np.cumsum(blocks.lengths[order], dtype=np.int64)
    total = int(ends[-1])
    count = -(-total // (rows * length * parts))  # windows of a part
    size = count * parts * length
    # Two of each row: one that ends within a window, and the one that goes on there.
    read = functools.lru_cache(maxsize=2 * rows)(lambda place: blocks.read(int(order[place])))

    def fill(row: int, index: int, inputs: np.ndarray, targets: np.ndarray) -> None:
        begin = row * size + (part * count + index) * length
        stop = min(begin + length, (row + 1) * size, total)
        at, place = begin, int(np.searchsorted(ends, begin, "right"))
        while at < stop:
            block, end = read(place), min(stop, int(ends[place]))
            here = slice(at - begin, end - begin)
            first = at - (int(ends[place]) - len(block))
            targets[here] = block[first : first + end - at]
            inputs[here][1:] = targets[here][:-1]
            if first and at > row * size:
                inputs[at - begin] = block[first - 1]
            at, place = end, place + 1

    def some(index: int, wanted: slice) -> Batch[np.ndarray]:
        chosen = range(rows)[wanted]
        inputs = np.full((len(chosen), length), END, np.int32)
        targets = np.full((len(chosen), length), -1, np.int32)
        for place, row in enumerate(chosen):
            fill(row, index, inputs[place], targets[place])
        return window_of(inputs, targets, END)

    return Epoch(count, lambda index: some(index, slice(None)), rows, some)
