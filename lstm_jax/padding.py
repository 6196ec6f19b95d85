"""Convert between lists of sequences and padded batches, in NumPy."""

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
    """Pad a list of sequences to one batch, and return their lengths; `unpad` is the inverse.

    Args:
        sequences: arrays (T_b, ...) that differ only in T_b. A sequence without steps does not
            affect the dtype of the batch, nor an empty list its shape.
        to: number of time steps of the batch; that of the longest sequence if None.
        value: number to pad with; the dtype of the sequences must be able to hold it.
        left: pad at the front; then pass `mask_of(lengths, T, left=True)` to the layers.

    Returns:
        `(batch (B, T, ...), lengths (B,) int32)`.

    Raises:
        ValueError: if there are no sequences, they differ in more than their lengths, one is
            longer than `to`, or their dtype cannot hold the value, such as NaN among ids.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise ValueError("there are no sequences to pad")
    arrays = _empty_alike(arrays)
    if any(a.ndim < 1 for a in arrays) or len({a.shape[1:] for a in arrays}) > 1:
        shapes = sorted({a.shape for a in arrays})
        raise ValueError(f"sequences must differ only in their first axis, got shapes {shapes}")
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
    """Reshape arrays of shape (0,), made of empty lists, to the features of the other arrays."""
    features = next((a.shape[1:] for a in arrays if a.shape != (0,)), ())
    return [a.reshape(0, *features) if a.shape == (0,) else a for a in arrays]


def _dtype_of(
    sequences: Sequence[ArrayLike], arrays: list[np.ndarray], value: ArrayLike
) -> np.dtype:
    """Choose the dtype of the batch.

    It is the dtype of the sequences that have steps, or else of those that have a dtype, or else of
    the value. NumPy makes float64 of an empty list, which would turn ids into floats.
    """
    full = [array for array in arrays if len(array)]
    typed = [a for s, a in zip(sequences, arrays, strict=True) if hasattr(s, "dtype")]
    return np.result_type(*(full or typed or [np.asarray(value)]))


def _cast(value: ArrayLike, dtype: np.dtype) -> np.ndarray:
    """Cast the padding value; it may be rounded to a float, but not changed otherwise."""
    original = np.asarray(value)
    with np.errstate(all="ignore"):
        cast = original.astype(dtype)
    numbers = {original.dtype.kind, dtype.kind} <= set("biufc")
    if dtype.kind in "fc" and original.dtype.kind in "biuf":
        same = np.isfinite(cast) == np.isfinite(original)
    else:
        same = cast == original
    if numbers and not np.all(same):
        raise ValueError(
            f"value must be a number that {dtype} can hold, got {value}; choose another value or "
            "cast the sequences"
        )
    return cast


def unpad(batch: ArrayLike, lengths: ArrayLike, *, left: bool = False) -> list[np.ndarray]:
    """Remove the padding from the rows of a batch.

    Args:
        batch: (B, T, ...).
        lengths: (B,) valid steps per row.
        left: whether the padding is at the front.

    Returns:
        B arrays (T_b, ...).

    Raises:
        ValueError: if the lengths are not B numbers in [0, T].
    """
    batch, lengths = np.asarray(batch), np.asarray(lengths)
    steps = batch.shape[1]
    if lengths.shape != batch.shape[:1] or (lengths < 0).any() or (lengths > steps).any():
        raise ValueError(
            f"lengths must be {len(batch)} numbers in [0, T={steps}], got {lengths.tolist()}"
        )
    return [row[steps - n :] if left else row[:n] for row, n in zip(batch, lengths, strict=True)]


def mask_of(lengths: ArrayLike, steps: int, *, left: bool = False) -> np.ndarray:
    """Build the mask of a padded batch.

    Args:
        lengths: (B,) valid steps per row.
        steps: T.
        left: whether the padding is at the front.

    Returns:
        (B, T) booleans, True at valid steps.
    """
    times, lengths = np.arange(steps), np.asarray(lengths)[:, None]
    return times >= steps - lengths if left else times < lengths


def bucket(
    lengths: ArrayLike, batch_size: int, *, rng: np.random.Generator | None = None
) -> Iterator[np.ndarray]:
    """Group sequences of similar length into batches, so that they need little padding.

    Args:
        lengths: (N,) lengths of all sequences.
        batch_size: sequences in a batch; the last batch may have fewer.
        rng: generator that shuffles sequences of equal length, and the batches; if None, batches
            come in order of length.

    Yields:
        Indices of the sequences of a batch, (B,).

    Raises:
        ValueError: if the batch size is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    lengths = np.asarray(lengths)
    order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    yield from batches if rng is None else (batches[i] for i in rng.permutation(len(batches)))
