"""Texts packed into rows of windows, for truncated backpropagation through time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_jax.train.batch import Batch, Epoch


@dataclass(frozen=True)
class Packed:
    """One pass over some texts, laid into rows and cut into windows.

    Row b of each window goes on where row b of the one before ends.

    Attributes:
        inputs: ids, (B, N T).
        targets: ids, (B, N T), -1 for padding.
        length: T, of a window.
        end_id: the id of END.
        symbols: targets that are no padding.
    """

    inputs: np.ndarray
    targets: np.ndarray
    length: int
    end_id: int
    symbols: int

    def windows(self) -> Epoch:
        """Give the N windows.

        Returns:
            Batches of arrays (B, T): `inputs` and `targets` are ids, `resets` is True where a text
            begins, `weights` is 1 for a symbol that counts and 0 for padding.
        """
        return Epoch(self.inputs.shape[1] // self.length, self._window)

    def _window(self, index: int) -> Batch[np.ndarray]:
        part = slice(index * self.length, (index + 1) * self.length)
        return window_of(self.inputs[:, part], self.targets[:, part], self.end_id)


def window_of(inputs: np.ndarray, targets: np.ndarray, end_id: int) -> Batch[np.ndarray]:
    """Make the batch of a window.

    Args:
        inputs: ids, (B, T).
        targets: ids, (B, T), -1 for padding.
        end_id: the id of END, with which texts begin.
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

    A text of ids c_1 .. c_n is read as END, c_1 .. c_n and predicted as c_1 .. c_n, END: every
    symbol is predicted, none twice, and each text starts where `resets` is True. No text is
    split between rows, so a state carried from window to window is always the text's own.

    Args:
        texts: int32 ids, one array per text, without END.
        rows: B.
        length: T, of a window.
        end_id: the id of END.
        order: a permutation of the texts, as given if None: the order within each row, and
            which of several texts of one length goes to which row.

    Raises:
        ValueError: no texts, or rows or length below 1.
    """
    if not texts:
        raise ValueError("there are no texts to pack")
    if rows < 1 or length < 1:
        raise ValueError(f"rows and window length must be at least 1, got {rows} and {length}")
    order = np.arange(len(texts)) if order is None else np.asarray(order)
    sizes = [(0, row) for row in range(rows)]
    lanes: list[list[int]] = [[] for _ in range(rows)]
    # Longest first, each to the shortest row: rows come out equal to within a short text, and
    # their sizes are the same for every order, so that every epoch has as many windows.
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
    """Cut running texts, joined, into `rows` stripes of equal length, and those into windows.

    For texts too long and too few to be rows of their own. The ends are not predicted, every
    other symbol is, once; a row starts from the empty state where it happens to be cut.

    Args:
        texts: int32 ids, without END.
        rows, length, end_id: as in `pack`.
        offset: symbols by which the texts are turned, as a ring, before they are cut: another
            one in each epoch, lest rows always start at the same places.

    Raises:
        ValueError: no symbols, or rows or length below 1.
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
    """Order the texts of an epoch: a pure function of seed and epoch.

    Args:
        seed: of the run.
        epoch: its number.
        count: of texts.

    Returns:
        A permutation, (count,).
    """
    return np.random.default_rng([seed, epoch]).permutation(count)


def epoch_offset(seed: int, epoch: int, count: int) -> int:
    """Turn a running text in an epoch; not in the first.

    Args:
        seed: of the run.
        epoch: its number.
        count: of symbols.

    Returns:
        By how many symbols.
    """
    return int(np.random.default_rng([seed, epoch]).integers(count)) if epoch else 0
