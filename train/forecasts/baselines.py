"""Forecasts that any model must be held against, in the target's unit, (N, H)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.windows import Prepared

PENALTIES = (0.0, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4)


def persistence(target: np.ndarray, at: np.ndarray, horizon: int) -> np.ndarray:
    """Forecast that the last value stays.

    Args:
        target: (M,), in its unit.
        at: rows (N,), the last that is known.
        horizon: H.

    Returns:
        (N, H).
    """
    return np.repeat(target[at, None], horizon, 1)


def seasonal(target: np.ndarray, at: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """Forecast the value of a season before, or of as many whole seasons as are needed to know it.

    Args:
        target, at, horizon: as in `persistence`.
        season: its rows.

    Returns:
        (N, H).

    Raises:
        ValueError: a row with no such past.
    """
    steps = np.arange(1, horizon + 1)
    back = season * -(-steps // season)
    places = at[:, None] + steps - back
    if places.min() < 0:
        raise ValueError(f"row {at.min()} has no season of {season} before it")
    return target[places]


class Linear(NamedTuple):
    """ŷ = x W + b of the flattened window: `kernel` (W·D, H), `bias` (H,), both for scaled values.

    `penalty`: of the squared weights, chosen on the validation part.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Scaled forecasts, (N, H), of windows (N, W, D)."""
        return inputs.reshape(len(inputs), -1).astype(np.float64) @ self.kernel + self.bias


def fit_linear(prepared: Prepared) -> Linear:
    """Fit a linear autoregression on the same inputs and targets: ridge, in closed form.

    Where the scalers are not centred it has no bias, and is odd as the model is.

    Fitted on the training windows; the penalty is the one whose squared error on the validation
    windows is least.

    Args:
        prepared: the series.
    """
    train, valid = prepared.windows("train"), prepared.windows("valid")
    x = train.inputs.reshape(len(train.inputs), -1).astype(np.float64)
    y = train.targets.astype(np.float64)
    x_mean, y_mean = (v.mean(0) if prepared.centred else np.zeros(v.shape[1]) for v in (x, y))
    values, vectors = np.linalg.eigh((x - x_mean).T @ (x - x_mean))
    moments = vectors.T @ ((x - x_mean).T @ (y - y_mean))
    found = []
    for penalty in PENALTIES:
        # Without a penalty, directions in which nothing varies have weight zero.
        floor = values.max() * 1e-10
        inverse = np.where(values + penalty > floor, 1 / np.maximum(values + penalty, floor), 0)
        kernel = vectors @ (inverse[:, None] * moments)
        linear = Linear(kernel, y_mean - x_mean @ kernel, penalty)
        found.append((np.mean((linear(valid.inputs) - valid.targets) ** 2), linear))
    return min(found, key=lambda pair: pair[0])[1]
