"""Sequences of different lengths, as lists and as padded batches: NumPy, before JAX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike


def pad(
    sequences: Sequence[ArrayLike],
    *,
    to: int | None = None,
    value: ArrayLike = 0,
    left: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Make one batch of a ragged list, and tell the lengths; `unpad` is the inverse.

    Args:
        sequences: arrays (T_b, ...), alike but for T_b.
        to: time steps of the batch; the longest if None.
        value: what stands in the padding.
        left: pad at the front; then give the layers `mask_of(lengths, T, left=True)`.

    Returns:
        `(batch (B, T, ...), lengths (B,) int32)`.

    Raises:
        ValueError: no sequences, ones that differ in more than their lengths, or one longer
            than `to`.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise ValueError("there are no sequences to pad")
    if any(a.ndim < 1 for a in arrays) or len({a.shape[1:] for a in arrays}) > 1:
        shapes = sorted({a.shape for a in arrays})
        raise ValueError(f"sequences must be alike but for their first axis, got shapes {shapes}")
    lengths = np.array([len(a) for a in arrays], np.int32)
    steps = int(lengths.max()) if to is None else to
    if lengths.max() > steps:
        raise ValueError(f"a sequence has {lengths.max()} steps, more than to={steps}")
    dtype = np.result_type(*arrays)
    batch = np.full((len(arrays), steps, *arrays[0].shape[1:]), value, dtype)
    for row, array in zip(batch, arrays, strict=True):
        row[steps - len(array) if left else 0 :][: len(array)] = array
    return batch, lengths


def unpad(batch: ArrayLike, lengths: ArrayLike, *, left: bool = False) -> list[np.ndarray]:
    """Take the padding from the rows of a batch.

    Args:
        batch: (B, T, ...).
        lengths: (B,) valid steps per row.
        left: the padding is at the front.

    Returns:
        B arrays (T_b, ...).

    Raises:
        ValueError: lengths that are not B numbers in [0, T].
    """
    batch, lengths = np.asarray(batch), np.asarray(lengths)
    steps = batch.shape[1]
    if lengths.shape != batch.shape[:1] or (lengths < 0).any() or (lengths > steps).any():
        raise ValueError(
            f"lengths must be {len(batch)} numbers in [0, T={steps}], got {lengths.tolist()}"
        )
    return [row[steps - n :] if left else row[:n] for row, n in zip(batch, lengths, strict=True)]


def mask_of(lengths: ArrayLike, steps: int, *, left: bool = False) -> np.ndarray:
    """Mark what is valid of a padded batch.

    Args:
        lengths: (B,) valid steps per row.
        steps: T.
        left: the padding is at the front.

    Returns:
        (B, T) booleans, True where valid.
    """
    times, lengths = np.arange(steps), np.asarray(lengths)[:, None]
    return times >= steps - lengths if left else times < lengths


def bucket(
    lengths: ArrayLike, batch_size: int, *, rng: np.random.Generator | None = None
) -> Iterator[np.ndarray]:
    """Give batches of sequences of nearly one length, so that little is padding.

    Args:
        lengths: of all sequences, (N,).
        batch_size: sequences in a batch; the last one may have fewer.
        rng: shuffles sequences of one length, and the batches; in order of length without.

    Yields:
        Indices of the sequences of a batch, (B,).

    Raises:
        ValueError: a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    lengths = np.asarray(lengths)
    order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    yield from batches if rng is None else (batches[i] for i in rng.permutation(len(batches)))
