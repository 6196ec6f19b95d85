"""Labeled sequences, and batches of similar lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lstm_jax.padding import pad
from lstm_jax.train.batch import Batch

MOST_ROWS = 128


class Examples(NamedTuple):
    """Store N examples: `inputs` of ids (T,) or vectors (T, D), and `targets` (N, C), float32.

    `weights` (N,) are the weights in the loss; all examples count the same if None.
    """

    inputs: Sequence[np.ndarray]
    targets: np.ndarray
    weights: np.ndarray | None = None


def widths_of(longest: int, *, halfway: bool = False) -> tuple[int, ...]:
    """Return the widths that batches are padded to, up to the first that holds every sequence.

    The widths are powers of two, starting with 4, so that only a few shapes are compiled.

    Args:
        longest: number of steps in the longest sequence.
        halfway: include the widths between them, 6, 12, 24 and so on.
    """
    widths = [4]
    while widths[-1] < longest:
        power = 1 << (widths[-1].bit_length() - 1)
        widths.append(widths[-1] + (power // 2 if halfway else power))
    return tuple(widths)


def rows_of(words: int, width: int) -> int:
    """Return the rows of a batch of some width, so that it holds about `words` words."""
    return max(1, min(MOST_ROWS, words // width))


def plan(
    lengths: np.ndarray,
    widths: Sequence[int],
    rows_of: Callable[[int], int],
    rng: np.random.Generator,
) -> list[tuple[int, int, np.ndarray]]:
    """Plan one pass over sequences, in a random order.

    Each width has its own batches, so that their number does not depend on the order.

    Args:
        lengths: lengths of the sequences, (N,).
        widths: the result of `widths_of`.
        rows_of: function from a width to the rows of a batch.
        rng: random generator for the order.

    Returns:
        `(width, rows, indices)` of each batch, with at most `rows` indices.
    """
    bucket = np.searchsorted(widths, lengths)
    batches = []
    for index, width in enumerate(widths):
        rows, members = rows_of(width), rng.permutation(np.flatnonzero(bucket == index))
        parts = (members[i : i + rows] for i in range(0, len(members), rows))
        batches += [(width, rows, part) for part in parts]
    return [batches[i] for i in rng.permutation(len(batches))]


def collate(
    examples: Examples,
    indices: np.ndarray,
    width: int,
    rows: int,
    augment: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Batch[np.ndarray]:
    """Build the batch of some examples, filled up to `rows` with examples of weight 0.

    Args:
        examples: N examples.
        indices: indices of the examples in the batch.
        width: T, the number of steps.
        rows: B, the number of rows.
        augment: function from a sequence to one to read instead, which is not longer.

    Returns:
        `inputs` (B, T) ids or (B, T, D), `targets` (B, C) with rows that sum to 1, `weights` (B,),
        0 for rows that only fill the batch, and `lengths` (B,).
    """
    chosen = [examples.inputs[i] for i in indices]
    chosen = chosen if augment is None else [augment(sequence) for sequence in chosen]
    missing = rows - len(indices)
    inputs, lengths = pad([*chosen, *[chosen[0][:1]] * missing], to=width)
    filled = np.concatenate([indices, np.repeat(indices[:1], missing)])
    targets = examples.targets[filled]
    weights = (np.arange(rows) < len(indices)).astype(np.float32)
    if examples.weights is not None:
        weights *= examples.weights[filled]
    return Batch(inputs, targets, weights=weights, lengths=lengths)
