"""A batch of training data, and an epoch of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from jax import Array

A = TypeVar("A", bound=Array | np.ndarray)


class Batch(NamedTuple, Generic[A]):
    """Store the rows of one training step: NumPy arrays, or JAX arrays in the compiled update.

    Args:
        inputs: the input, (B, T) ids or (B, T, D) vectors.
        targets: the expected output; its shape depends on the task.
        resets: (B, T), True where a new text begins; None means nowhere.
        weights: the weights of the losses, (B, T) or (B,), 0 for rows and steps that are padding;
            None means 1 everywhere.
        lengths: (B,), the number of valid steps in each row; None means that all are valid.
    """

    inputs: A
    targets: A
    resets: A | None = None
    weights: A | None = None
    lengths: A | None = None


@dataclass(frozen=True)
class Epoch:
    """Represent a sequence of batches, each of which is made when it is needed.

    If several processes train together, each needs only some of the rows. An epoch that can read
    just those has `rows` and `part`.

    Attributes:
        size: the number of batches.
        make: `make(index)` returns a batch.
        rows: the number of rows in every batch.
        part: `part(index, rows)` returns some of the rows of a batch.
    """

    size: int
    make: Callable[[int], Batch[np.ndarray]]
    rows: int | None = None
    part: Callable[[int, slice], Batch[np.ndarray]] | None = None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Batch[np.ndarray]:
        if not 0 <= index < self.size:
            raise IndexError(f"batch must be in [0, {self.size}), got {index}")
        return self.make(index)

    def __iter__(self) -> Iterator[Batch[np.ndarray]]:
        return map(self.make, range(self.size))
