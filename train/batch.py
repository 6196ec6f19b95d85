"""What a training step reads, and an epoch of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from jax import Array

A = TypeVar("A", bound=Array | np.ndarray)


class Batch(NamedTuple, Generic[A]):
    """Rows to learn from in one step: NumPy's arrays, and JAX's inside the compiled update.

    Args:
        inputs: what is read, (B, T) ids or (B, T, D) vectors.
        targets: what is to be said of it; each task knows their shape.
        resets: (B, T), True where another text begins; nowhere if None.
        weights: of the losses, (B, T) or (B,), 0 where a row or a step only fills the batch; all
            are 1 if None.
        lengths: (B,) valid steps of each row; all are if None.
    """

    inputs: A
    targets: A
    resets: A | None = None
    weights: A | None = None
    lengths: A | None = None


@dataclass(frozen=True)
class Epoch:
    """`size` batches, each made by `make(index)` when it is asked for.

    Where several processes train together, each needs only some of the rows. An epoch that can
    read those alone has `rows`, how many there are in every batch, and `part(index, rows)`.
    """

    size: int
    make: Callable[[int], Batch[np.ndarray]]
    rows: int | None = None
    part: Callable[[int, slice], Batch[np.ndarray]] | None = None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Batch[np.ndarray]:
        if not 0 <= index < self.size:
            raise IndexError(f"batch {index} of {self.size}")
        return self.make(index)

    def __iter__(self) -> Iterator[Batch[np.ndarray]]:
        return map(self.make, range(self.size))
