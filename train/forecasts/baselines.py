"""Forecasts that any model must be held against, in the target's unit, (N, H)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.panels.windows import Prepared, Windows

FITTED = 20_000
"""Windows that the linear forecast is fitted to, at most."""
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


def seasonal_or_last(
    target: np.ndarray, at: np.ndarray, horizon: int, season: int, starts: np.ndarray
) -> np.ndarray:
    """Forecast the value of a season before, and the last one where a series had none yet.

    Args:
        target: (M,), in its unit, the last known value where one is missing.
        at, horizon, season: as in `seasonal`.
        starts: (N,), the first row of the series that each of `at` is of.
    """
    steps = np.arange(1, horizon + 1)
    places = at[:, None] + steps - season * -(-steps // season)
    found = target[np.maximum(places, 0)]
    return np.where((places >= starts[:, None]) & np.isfinite(found), found, target[at, None])


class Linear(NamedTuple):
    """ŷ = x W + b of the flattened window: `kernel` (D', H), `bias` (H,), both for scaled values.

    `penalty`: of the squared weights, chosen on the validation part. `steps` and `numbers`: which
    steps of the inputs are read, and how many of their columns.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float
    steps: slice = slice(None)
    numbers: int | None = None

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Scaled forecasts, (N, H), of windows (N, T, D)."""
        return self.flat(inputs) @ self.kernel + self.bias

    def flat(self, inputs: np.ndarray) -> np.ndarray:
        """What is read of windows (N, T, D): (N, D')."""
        read = inputs[:, self.steps, : self.numbers]
        return read.reshape(len(read), -1).astype(np.float64)


def fit_linear(prepared: Prepared, rows: int | None = None) -> Linear:
    """Fit a linear autoregression on the same inputs and targets: ridge, in closed form.

    Where the scalers are not centred it has no bias, and is odd as the model is. One for all
    series; codes of categories are not read.

    Fitted on the training windows, `FITTED` of them at most, whose targets are all known; the
    penalty is the one whose squared error on the validation windows is least.

    Args:
        prepared: the series.
        rows: of the window's end that are read, and nothing of the future; all that the model
            reads if None.
    """
    train, valid = (_complete(prepared, name) for name in ("train", "valid"))
    steps = slice(None)
    if rows is not None:
        steps = slice(prepared.window - rows, prepared.window)
    numbers = train.inputs.shape[2] - prepared.layout.codes
    linear = Linear(np.zeros(()), np.zeros(()), 0.0, steps, numbers)
    x, y = linear.flat(train.inputs), train.targets.astype(np.float64)
    x_mean, y_mean = (v.mean(0) if prepared.centred else np.zeros(v.shape[1]) for v in (x, y))
    values, vectors = np.linalg.eigh((x - x_mean).T @ (x - x_mean))
    moments = vectors.T @ ((x - x_mean).T @ (y - y_mean))
    found = []
    for penalty in PENALTIES:
        # Without a penalty, directions in which nothing varies have weight zero.
        floor = values.max() * 1e-10
        inverse = np.where(values + penalty > floor, 1 / np.maximum(values + penalty, floor), 0)
        kernel = vectors @ (inverse[:, None] * moments)
        linear = linear._replace(kernel=kernel, bias=y_mean - x_mean @ kernel, penalty=penalty)
        found.append((np.mean((linear(valid.inputs) - valid.targets) ** 2), linear))
    return min(found, key=lambda pair: pair[0])[1]


def _complete(prepared: Prepared, split: str) -> Windows:
    """Windows without a missing target, so many at most as are fitted to; if there are none, all,
    in which 0 stands for what is missing."""
    at = prepared.moments(split)
    if np.isnan(prepared.target).any():
        whole = np.isfinite(prepared.aims(at)).all(1)
        at = at[whole] if whole.any() else at
    if len(at) > FITTED:
        at = at[np.linspace(0, len(at) - 1, FITTED).astype(int)]
    return prepared.at(at)
