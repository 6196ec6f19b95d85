"""Packing of texts into rows of windows, for truncated backpropagation through time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_jax.train.batch import Batch, Epoch


@dataclass(frozen=True)
class Packed:
    """Store one pass over texts, laid into rows and cut into windows.

    Row b of each window continues row b of the window before.

    Attributes:
        inputs: ids, (B, N T).
        targets: ids, (B, N T), -1 for padding.
        length: T, the length of a window.
        end_id: the id of END.
        symbols: number of targets that are not padding.
    """

    inputs: np.ndarray
    targets: np.ndarray
    length: int
    end_id: int
    symbols: int

    def windows(self) -> Epoch:
        """Return the N windows.

        Returns:
            Batches of arrays (B, T): `inputs` and `targets` are ids, `resets` is True where a text
            begins, `weights` is 1 for symbols and 0 for padding.
        """
        return Epoch(self.inputs.shape[1] // self.length, self._window)

    def _window(self, index: int) -> Batch[np.ndarray]:
        part = slice(index * self.length, (index + 1) * self.length)
        return window_of(self.inputs[:, part], self.targets[:, part], self.end_id)


def window_of(inputs: np.ndarray, targets: np.ndarray, end_id: int) -> Batch[np.ndarray]:
    """Build the batch of a window.

    Args:
        inputs: ids, (B, T).
        targets: ids, (B, T), -1 for padding.
        end_id: the id of END, which precedes each text.
    """
    padding = targets < 0
    return Batch(
        inputs,
        np.where(padding, end_id, targets),
        inputs == end_id,
        (~padding).astype(np.float32),
    )


def pack(
    texts: Sequence[np.ndarray],
    *,
    rows: int,
    length: int,
    end_id: int,
    order: np.ndarray | None = None,
) -> Packed:
    """Lay whole texts into rows of nearly equal length and cut the rows into windows.

    For a text of ids c_1 .. c_n, the inputs are END, c_1 .. c_n and the targets c_1 .. c_n, END.
    Every symbol is predicted exactly once, and each text starts where `resets` is True. No text
    is split between rows, so that a state carried from window to window belongs to the text.

    Args:
        texts: int32 ids, one array per text, without END.
        rows: B, the number of rows.
        length: T, the length of a window.
        end_id: the id of END.
        order: a permutation of the texts, the identity if None. It determines the order within
            each row, and which of several texts of the same length goes to which row.

    Raises:
        ValueError: if there are no texts, or rows or length are below 1.
    """
    if not texts:
        raise ValueError("there are no texts to pack")
    if rows < 1 or length < 1:
        raise ValueError(f"rows and window length must be at least 1, got {rows} and {length}")
    order = np.arange(len(texts)) if order is None else np.asarray(order)
    sizes = [(0, row) for row in range(rows)]
    lanes: list[list[int]] = [[] for _ in range(rows)]
    # Longest first, each to the shortest row: the rows are equal to within a short text, and their
    # sizes are the same for every order, so that every epoch has the same number of windows.
    for place in sorted(range(len(order)), key=lambda place: -len(texts[order[place]])):
        size, row = sizes[0]
        lanes[row].append(place)
        heapq.heapreplace(sizes, (size + len(texts[order[place]]) + 1, row))
    width = -(-max(size for size, _ in sizes) // length) * length
    inputs = np.full((rows, width), end_id, np.int32)
    targets = np.full((rows, width), -1, np.int32)
    end = np.array([end_id], np.int32)
    for row, lane in enumerate(lanes):
        if lane:
            ordered = (texts[order[place]] for place in sorted(lane))
            line = np.concatenate([piece for text in ordered for piece in (text, end)])
            targets[row, : len(line)] = line
            inputs[row, 1 : len(line)] = line[:-1]
    return Packed(inputs, targets, length, end_id, int((targets >= 0).sum()))


def stripes(
    texts: Sequence[np.ndarray], *, rows: int, length: int, end_id: int, offset: int = 0
) -> Packed:
    """Join texts, and cut them into `rows` stripes of equal length and into windows.

    This is for texts that are too long and too few to be rows of their own. The ends are not
    predicted; every other symbol is predicted once. A row starts from the empty state wherever
    the cut falls.

    Args:
        texts: int32 ids, without END.
        rows, length, end_id: as in `pack`.
        offset: number of symbols by which the joined text is rotated before it is cut. Each epoch
            uses another offset, so that rows do not always start at the same places.

    Raises:
        ValueError: if there are no symbols, or rows or length are below 1.
    """
    symbols = np.concatenate([np.zeros(0, np.int32), *texts])
    if not symbols.size:
        raise ValueError("there are no texts to cut")
    if rows < 1 or length < 1:
        raise ValueError(f"rows and window length must be at least 1, got {rows} and {length}")
    size = -(-symbols.size // rows)
    targets = np.full(rows * size, -1, np.int32)
    targets[: symbols.size] = np.roll(symbols, -offset)
    targets = np.pad(targets.reshape(rows, size), ((0, 0), (0, -size % length)), constant_values=-1)
    inputs = np.full_like(targets, end_id)
    inputs[:, 1:] = np.where(targets[:, :-1] < 0, end_id, targets[:, :-1])
    return Packed(inputs, targets, length, end_id, symbols.size)


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Draw the order of the texts in an epoch, as a pure function of seed and epoch.

    Args:
        seed: seed of the run.
        epoch: number of the epoch.
        count: number of texts.

    Returns:
        A permutation, (count,).
    """
    return np.random.default_rng([seed, epoch]).permutation(count)


def epoch_offset(seed: int, epoch: int, count: int) -> int:
    """Draw the offset for `stripes` in an epoch; it is 0 in the first epoch.

    Args:
        seed: seed of the run.
        epoch: number of the epoch.
        count: number of symbols.

    Returns:
        The offset, in symbols.
    """
    return int(np.random.default_rng([seed, epoch]).integers(count)) if epoch else 0
