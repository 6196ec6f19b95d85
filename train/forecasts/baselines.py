"""Baselines that any forecaster must be compared with, in the target's unit, (N, H)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.panels.windows import Prepared, Windows

FITTED = 20_000
"""Maximum number of windows that the linear forecast is fitted to."""
PENALTIES = (0.0, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4)


def persistence(target: np.ndarray, at: np.ndarray, horizon: int) -> np.ndarray:
    """Repeat the last known value.

    Args:
        target: (M,), the series in its unit.
        at: (N,), the rows of the last known values.
        horizon: H.

    Returns:
        The forecasts, (N, H).
    """
    return np.repeat(target[at, None], horizon, 1)


def seasonal(target: np.ndarray, at: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """Repeat the value one season earlier, or the fewest whole seasons earlier that is known.

    Args:
        target, at, horizon: as in `persistence`.
        season: the number of rows in a season.

    Returns:
        The forecasts, (N, H).

    Raises:
        ValueError: if a row has no full season before it.
    """
    steps = np.arange(1, horizon + 1)
    back = season * -(-steps // season)
    places = at[:, None] + steps - back
    if places.min() < 0:
        raise ValueError(f"row {at.min()} must have a season of {season} rows before it")
    return target[places]


def seasonal_or_last(
    target: np.ndarray, at: np.ndarray, horizon: int, season: int, starts: np.ndarray
) -> np.ndarray:
    """Repeat the value one season earlier, or the last value if there is no earlier season.

    Args:
        target: (M,), the series in its unit, with missing values replaced by the last known value.
        at, horizon, season: as in `seasonal`.
        starts: (N,), for each row in `at` the first row of its series.

    Returns:
        The forecasts, (N, H).
    """
    steps = np.arange(1, horizon + 1)
    places = at[:, None] + steps - season * -(-steps // season)
    values = target[np.maximum(places, 0)]
    return np.where((places >= starts[:, None]) & np.isfinite(values), values, target[at, None])


class Linear(NamedTuple):
    """Store a linear forecast ŷ = x W + b of the flattened window, for scaled values.

    Attributes:
        kernel: W, (D', H).
        bias: b, (H,).
        penalty: the penalty on the squared weights, chosen on the validation split.
        steps: the steps of the inputs that are read.
        numbers: the number of columns of the inputs that are read; all if None.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float
    steps: slice = slice(None)
    numbers: int | None = None

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Compute scaled forecasts, (N, H), from windows (N, T, D)."""
        return self.flat(inputs) @ self.kernel + self.bias

    def flat(self, inputs: np.ndarray) -> np.ndarray:
        """Flatten the part of windows (N, T, D) that is read to (N, D')."""
        read = inputs[:, self.steps, : self.numbers]
        return read.reshape(len(read), -1).astype(np.float64)


def fit_linear(prepared: Prepared, rows: int | None = None) -> Linear:
    """Fit a linear autoregression to the model's inputs and targets, by ridge regression.

    A single regression serves all series; it does not read the codes of categories. If the scalers
    are not centered, it has no bias and is an odd function, as the model then is.

    It is fitted to at most `FITTED` training windows whose targets are all known, with the penalty
    that has the smallest squared error on the validation windows.

    Args:
        prepared: the series.
        rows: the number of rows at the end of the window to read, without any future inputs; if
            None, everything that the model reads.
    """
    train, valid = (_complete(prepared, name) for name in ("train", "valid"))
    steps = slice(None)
    if rows is not None:
        steps = slice(prepared.window - rows, prepared.window)
    numbers = train.inputs.shape[2] - prepared.layout.codes
    linear = Linear(np.zeros(()), np.zeros(()), 0.0, steps, numbers)
    x, y = linear.flat(train.inputs), train.targets.astype(np.float64)
    x_mean, y_mean = (v.mean(0) if prepared.centered else np.zeros(v.shape[1]) for v in (x, y))
    values, vectors = np.linalg.eigh((x - x_mean).T @ (x - x_mean))
    moments = vectors.T @ ((x - x_mean).T @ (y - y_mean))
    candidates = []
    for penalty in PENALTIES:
        # Without a penalty, directions without variation get weight zero.
        floor = values.max() * 1e-10
        inverse = np.where(values + penalty > floor, 1 / np.maximum(values + penalty, floor), 0)
        kernel = vectors @ (inverse[:, None] * moments)
        linear = linear._replace(kernel=kernel, bias=y_mean - x_mean @ kernel, penalty=penalty)
        candidates.append((np.mean((linear(valid.inputs) - valid.targets) ** 2), linear))
    return min(candidates, key=lambda pair: pair[0])[1]


def _complete(prepared: Prepared, split: str) -> Windows:
    """Return at most `FITTED` windows without missing targets.

    If every window has missing targets, windows are returned in which these are 0.
    """
    at = prepared.moments(split)
    if np.isnan(prepared.target).any():
        whole = np.isfinite(prepared.aims(at)).all(1)
        at = at[whole] if whole.any() else at
    if len(at) > FITTED:
        at = at[np.linspace(0, len(at) - 1, FITTED).astype(int)]
    return prepared.at(at)
