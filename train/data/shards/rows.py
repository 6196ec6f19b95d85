"""An epoch over blocks: every symbol once, in rows that continue from window to window."""

from __future__ import annotations

import functools

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.data.shards.store import Blocks
from lstm_jax.train.data.text import window_of

END = Vocabulary.end_id
STEPS = 5000  # maximum per epoch, so that a run is validated, and its model saved, regularly


def count_parts(symbols: int, *, rows: int, length: int) -> int:
    """Compute how many epochs of at most `STEPS` steps a pass over the blocks takes.

    Args:
        symbols: number of symbols in all blocks.
        rows: B, the number of rows.
        length: T, the length of a window.

    Returns:
        The number of epochs; 1 for a single row, which would end before the last of equal parts.
    """
    return -(-symbols // (rows * length * STEPS)) if rows > 1 else 1


def windows(
    blocks: Blocks, order: np.ndarray, *, rows: int, length: int, parts: int = 1, part: int = 0
) -> Epoch:
    """Lay the blocks of a pass into rows, and cut the rows into windows.

    The blocks are joined in their order and cut into `rows` pieces of equal length, except for the
    last. Each row reads one piece from left to right. Blocks and rows begin like a text, with END
    and a reset. A block is read when a window needs it, and each row keeps its current block.

    Args:
        blocks: at least one block.
        order: the numbers of the blocks, each once.
        rows: B, the number of rows.
        length: T, the length of a window.
        parts: number of parts of the pass, all with the same number of windows.
        part: the part to return, starting with 0; its rows continue those of the part before.

    Returns:
        Batches like those of `Packed.windows`; their number does not depend on order and part.
        Selecting some rows of a batch reads only the blocks of these rows.
    """
    ends = np.cumsum(blocks.lengths[order], dtype=np.int64)
    total = int(ends[-1])
    count = -(-total // (rows * length * parts))  # windows in a part
    size = count * parts * length
    # Two blocks per row: the one that ends inside a window, and the next one.
    read = functools.lru_cache(maxsize=2 * rows)(lambda place: blocks.read(int(order[place])))

    def fill(row: int, index: int, inputs: np.ndarray, targets: np.ndarray) -> None:
        begin = row * size + (part * count + index) * length
        stop = min(begin + length, (row + 1) * size, total)
        start, place = begin, int(np.searchsorted(ends, begin, "right"))
        while start < stop:
            block, end = read(place), min(stop, int(ends[place]))
            span = slice(start - begin, end - begin)
            first = start - (int(ends[place]) - len(block))
            targets[span] = block[first : first + end - start]
            inputs[span][1:] = targets[span][:-1]
            if first and start > row * size:
                inputs[start - begin] = block[first - 1]
            start, place = end, place + 1

    def batch(index: int, selected: slice) -> Batch[np.ndarray]:
        chosen = range(rows)[selected]
        inputs = np.full((len(chosen), length), END, np.int32)
        targets = np.full((len(chosen), length), -1, np.int32)
        for place, row in enumerate(chosen):
            fill(row, index, inputs[place], targets[place])
        return window_of(inputs, targets, END)

    return Epoch(count, lambda index: batch(index, slice(None)), rows, batch)
