"""Scaling of numbers to mean 0 and variance 1, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike


@dataclass(frozen=True)
class Scaler:
    """Map x to (x - mean) / scale, in float32.

    The difference and the quotient are computed in the wider of the dtypes of x and of the
    scaler: float64 for series, float32 for sound.

    Attributes:
        mean: (D,).
        scale: (D,), positive.
    """

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Scale values (..., D)."""
        return ((values - self.mean) / self.scale).astype(np.float32, copy=False)

    def inverse(self, values: ArrayLike) -> np.ndarray:
        """Undo the scaling, in float64."""
        return np.asarray(values, np.float64) * self.scale + self.mean

    def to_dict(self) -> dict[str, object]:
        """Return the mean and the scale as lists, for JSON."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @staticmethod
    def from_dict(values: Mapping[str, Sequence[float]], dtype: DTypeLike = np.float64) -> Scaler:
        """Build a scaler from the result of `to_dict`.

        Args:
            values: a mapping with "mean" and "scale"; other keys are ignored.
            dtype: dtype of both arrays.
        """
        return Scaler(np.array(values["mean"], dtype), np.array(values["scale"], dtype))
