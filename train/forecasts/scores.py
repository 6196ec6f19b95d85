"""Scores of forecasts of many series: the errors of each series, and their means over all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.train.forecasts.errors import coverage, pinball


def naive_error(values: np.ndarray, season: int) -> float:
    """Compute the mean absolute difference to the season before, the unit of MASE.

    See Hyndman & Koehler (2006). If no difference over a season is known, differences to the row
    before are used; the result is NaN if these are zero or unknown too.

    Args:
        values: (N,), the training rows, NaN where missing.
        season: the number of rows in a season.
    """
    for lag in (season, 1):
        differences = np.abs(values[lag:] - values[:-lag])
        differences = differences[np.isfinite(differences)]
        if len(differences) and differences.mean() > 0:
            return float(differences.mean())
    return float("nan")


def by_series(
    truth: np.ndarray, forecast: np.ndarray, owner: np.ndarray, naive: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute the MAE, RMSE and MASE of each series, (S,), NaN if no value of it is known.

    Args:
        truth, forecast: (N, H), in the target's unit; values that are NaN in `truth` are ignored.
        owner: (N,), the series that each row belongs to.
        naive: (S,), the result of `naive_error` for each series.
    """
    error = np.where(np.isfinite(truth), forecast - truth, 0)
    count = _sums(np.isfinite(truth), owner, len(naive))
    count = np.where(count > 0, count, np.nan)
    mae = _sums(np.abs(error), owner, len(naive)) / count
    rmse = np.sqrt(_sums(error**2, owner, len(naive)) / count)
    return {"mae": mae, "rmse": rmse, "mase": mae / naive}


def mean_over(scores: dict[str, np.ndarray]) -> dict[str, float]:
    """Compute the mean of each score over the series that have it, leaving out NaN."""
    return {
        name: float(values[np.isfinite(values)].mean())
        for name, values in scores.items()
        if np.isfinite(values).any()
    }


def interval(
    truth: np.ndarray, forecasts: np.ndarray, quantiles: Sequence[float]
) -> dict[str, float]:
    """Compute the pinball loss of quantiles, and the coverage of the outermost interval.

    Args:
        truth: (N, H), NaN where missing.
        forecasts: (N, H, Q), the predicted quantiles.
        quantiles: Q quantiles in (0, 1).
    """
    known = np.isfinite(truth)
    values, predicted = truth[known], forecasts[known]
    low, high = predicted[:, 0], predicted[:, -1]
    return {
        "nominal": round(quantiles[-1] - quantiles[0], 6),
        "coverage": coverage(values, low, high),
        "mean_width": float((high - low).mean()),
        "pinball": float(pinball(values, predicted, quantiles).mean()),
    }


def _sums(values: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(owner, values.sum(1), minlength=count)
