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
        sequences: arrays (T_b, ...), alike but for T_b. One without steps does not count for the
            dtype, and an empty list not for the shape.
        to: time steps of the batch; the longest if None.
        value: what stands in the padding; a number that the sequences' dtype holds.
        left: pad at the front; then give the layers `mask_of(lengths, T, left=True)`.

    Returns:
        `(batch (B, T, ...), lengths (B,) int32)`.

    Raises:
        ValueError: no sequences, ones that differ in more than their lengths, one longer than
            `to`, or a value that their dtype does not hold, such as NaN among ids.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise ValueError("there are no sequences to pad")
    arrays = _empty_alike(arrays)
    if any(a.ndim < 1 for a in arrays) or len({a.shape[1:] for a in arrays}) > 1:
        shapes = sorted({a.shape for a in arrays})
        raise ValueError(f"sequences must be alike but for their first axis, got shapes {shapes}")
    lengths = np.array([len(a) for a in arrays], np.int32)
    steps = int(lengths.max()) if to is None else to
    if lengths.max() > steps:
        raise ValueError(f"a sequence has {lengths.max()} steps, more than to={steps}")
    shape = (len(arrays), steps, *arrays[0].shape[1:])
    batch = np.full(shape, _cast(value, _dtype_of(sequences, arrays, value)))
    for row, array in zip(batch, arrays, strict=True):
        row[steps - len(array) if left else 0 :][: len(array)] = array
    return batch, lengths


def _empty_alike(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Give those of shape (0,), as an empty list has, the features of the first of the others."""
    features = next((a.shape[1:] for a in arrays if a.shape != (0,)), ())
    return [a.reshape(0, *features) if a.shape == (0,) else a for a in arrays]


def _dtype_of(
    sequences: Sequence[ArrayLike], arrays: list[np.ndarray], value: ArrayLike
) -> np.dtype:
    """Choose the batch's dtype: that of what has steps, else of what has a dtype, else the value's.

    NumPy takes an empty list for float64, which would make floats of ids.
    """
    full = [array for array in arrays if len(array)]
    typed = [a for s, a in zip(sequences, arrays, strict=True) if hasattr(s, "dtype")]
    return np.result_type(*(full or typed or [np.asarray(value)]))


def _cast(value: ArrayLike, dtype: np.dtype) -> np.ndarray:
    """Cast what stands in the padding; it may be rounded to a float, and not otherwise changed."""
    given = np.asarray(value)
    with np.errstate(all="ignore"):
        cast = given.astype(dtype)
    numbers = {given.dtype.kind, dtype.kind} <= set("biufc")
    if dtype.kind in "fc" and given.dtype.kind in "biuf":
        same = np.isfinite(cast) == np.isfinite(given)
    else:
        same = cast == given
    if numbers and not np.all(same):
        raise ValueError(
            f"value {value} is not a number that {dtype} holds: give one that it does, or cast "
            "the sequences"
        )
    return cast


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
