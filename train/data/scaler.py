"""Numbers to mean 0 and variance 1, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike


@dataclass(frozen=True)
class Scaler:
    """x -> (x - mean) / scale, float32.

    The difference and the quotient are taken in the wider of the dtypes of x and of these two:
    float64 for series, float32 for sound.

    Attributes:
        mean: (D,), of a row.
        scale: (D,), above 0.
    """

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Scale values (..., D)."""
        return ((values - self.mean) / self.scale).astype(np.float32, copy=False)

    def inverse(self, values: ArrayLike) -> np.ndarray:
        """Give what was scaled, float64."""
        return np.asarray(values, np.float64) * self.scale + self.mean

    def to_dict(self) -> dict[str, object]:
        """Give both for JSON."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @staticmethod
    def from_dict(values: Mapping[str, Sequence[float]], dtype: DTypeLike = np.float64) -> Scaler:
        """Give back what `to_dict` was called on.

        Args:
            values: with "mean" and "scale"; what else they hold is left alone.
            dtype: of both.
        """
        return Scaler(np.array(values["mean"], dtype), np.array(values["scale"], dtype))
