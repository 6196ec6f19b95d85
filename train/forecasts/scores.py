"""What forecasts of many series are worth: each series' errors, and their means over the series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.train.forecasts.errors import coverage, pinball


def naive_error(values: np.ndarray, season: int) -> float:
    """Give the mean absolute difference to a season before, which MASE is measured in.

    Hyndman & Koehler (2006). Where there is no season of known values, it is to the row before;
    NaN where that is 0 or unknown too.

    Args:
        values: (N,), the training rows, NaN where missing.
        season: in rows.
    """
    for back in (season, 1):
        wrong = np.abs(values[back:] - values[:-back])
        wrong = wrong[np.isfinite(wrong)]
        if len(wrong) and wrong.mean() > 0:
            return float(wrong.mean())
    return float("nan")


def by_series(
    truth: np.ndarray, forecast: np.ndarray, owner: np.ndarray, naive: np.ndarray
) -> dict[str, np.ndarray]:
    """Give each series' MAE, RMSE and MASE, (S,), NaN where nothing is known.

    Args:
        truth, forecast: (N, H) in the unit; what is NaN in `truth` counts for nothing.
        owner: (N,), which series each row is of.
        naive: (S,), what `naive_error` gives.
    """
    wrong = np.where(np.isfinite(truth), forecast - truth, 0)
    count = _sums(np.isfinite(truth), owner, len(naive))
    count = np.where(count > 0, count, np.nan)
    mae = _sums(np.abs(wrong), owner, len(naive)) / count
    rmse = np.sqrt(_sums(wrong**2, owner, len(naive)) / count)
    return {"mae": mae, "rmse": rmse, "mase": mae / naive}


def mean_over(scores: dict[str, np.ndarray]) -> dict[str, float]:
    """Give the mean of each score over the series that have it; those without are left out."""
    return {
        name: float(values[np.isfinite(values)].mean())
        for name, values in scores.items()
        if np.isfinite(values).any()
    }


def interval(
    truth: np.ndarray, forecasts: np.ndarray, quantiles: Sequence[float]
) -> dict[str, float]:
    """Give the pinball loss of quantiles, and what the outermost hold.

    Args:
        truth: (N, H), NaN where missing.
        forecasts: (N, H, Q).
        quantiles: Q of them.
    """
    known = np.isfinite(truth)
    came, said = truth[known], forecasts[known]
    low, high = said[:, 0], said[:, -1]
    return {
        "nominal": round(quantiles[-1] - quantiles[0], 6),
        "coverage": coverage(came, low, high),
        "mean_width": float((high - low).mean()),
        "pinball": float(pinball(came, said, quantiles).mean()),
    }


def _sums(values: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(owner, values.sum(1), minlength=count)
