"""Measure how much of the error of the linear model 24 hours ahead other inputs predict.

`sensor_limits.py` writes the results. Every input is known when the forecast is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from lstm_jax.train.data.panels.windows import Prepared
from lstm_jax.train.forecasts import baselines
from lstm_jax.train.forecasts.verdict import future

STEPS = 48
TIDE = 24.8412  # rows in the period of the main lunar tide, 12.4206 hours
DAYS = (2, 4, 8, 14)
BLOCK, DRAWS = 240, 2000  # blocks of five days, about as long as the weather lasts


def measure(ready: Prepared, splits: list[str]) -> dict[str, Any]:
    """Fit the residual of the training part from groups of inputs, and predict it in the others.

    Args:
        ready: the series, as the recipe prepares it.
        splits: the parts to measure.

    Returns:
        For each part the R² of each group, and the R² of a fit to that part itself, which bounds
        what a linear function of the group could explain. Every fit has a bias, so a group must be
        compared with the constant.
    """
    linear = baselines.fit_linear(ready)
    first = ready.moments("train")[0] + max(DAYS) * STEPS + STEPS
    rows = {split: ready.moments(split) for split in ("train", *splits)}
    rows["train"] = rows["train"][rows["train"] >= first]
    residuals = {split: residual(ready, linear, at) for split, at in rows.items()}
    groups = {split: inputs(ready, linear, at) for split, at in rows.items()}
    result: dict[str, Any] = {split: {} for split in splits}
    for name, train in groups["train"].items():
        model = ridge(train, residuals["train"])
        for split in splits:
            x, y = groups[split][name], residuals[split]
            result[split][name] = {"r2": r2(y, model(x)), "fitted here": r2(y, ridge(x, y)(x))}
    everything = {split: np.concatenate([*each.values()], 1) for split, each in groups.items()}
    trees = HistGradientBoostingRegressor(max_iter=100, learning_rate=0.05, random_state=0)
    with threadpool_limits(1):
        trees.fit(everything["train"], residuals["train"])
    for split in splits:
        guess = trees.predict(everything[split])
        result[split]["all of them, boosted trees"] = {"r2": r2(residuals[split], guess)}
    return result


def residual(ready: Prepared, linear: baselines.Linear, at: np.ndarray) -> np.ndarray:
    """Return the value minus the linear forecast 24 hours after each row, (N,)."""
    forecast = ready.restore(linear(ready.inputs(at)), at)[:, -1]
    return future(ready.target, at, STEPS)[:, -1] - forecast


def inputs(ready: Prepared, linear: baselines.Linear, at: np.ndarray) -> dict[str, np.ndarray]:
    """Return the groups of inputs at each row, (N, inputs)."""
    target, past = ready.target, sliding_window_view(ready.target, 50)[at - 49]
    trends = [target[at] - target[at - days * STEPS] for days in DAYS]
    return {
        "a constant": np.ones((len(at), 1)),
        "hour of day": phases(at, STEPS),
        "tide": phases(at, TIDE),
        "level": np.stack([target[at], target[at] ** 2], 1),
        "residual of the day before": residual(ready, linear, at - STEPS)[:, None],
        f"changes over {', '.join(map(str, DAYS))} days": np.stack(trends, 1),
        "distance from the mean of 25 hours": (target[at] - past.mean(1))[:, None],
        "deviation of 25 hours": past.std(1)[:, None],
    }


def phases(at: np.ndarray, period: float) -> np.ndarray:
    """Return sines and cosines of two harmonics of a period, (N, 4)."""
    angles = 2 * np.pi * at[:, None] / (period / np.array([1, 2]))
    return np.concatenate([np.sin(angles), np.cos(angles)], 1)


def ridge(x: np.ndarray, y: np.ndarray):
    """Fit a linear function with a bias, and a penalty of 1% of the variance of each input."""
    mean, scale, center = x.mean(0), x.std(0), y.mean()
    scale = np.where(scale > 0, scale, 1.0)
    z = (x - mean) / scale
    weights = np.linalg.solve(z.T @ z + 0.01 * len(z) * np.eye(z.shape[1]), z.T @ (y - center))
    return lambda new: (new - mean) / scale @ weights + center


def r2(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Return the share of the squared residual that is predicted; below 0 is worse than none."""
    return float(1 - np.sum((truth - forecast) ** 2) / np.sum(truth**2))


def interval(values: np.ndarray) -> list[float]:
    """Return the 95% interval of the mean of a series, by a bootstrap of its blocks."""
    count = -(-len(values) // BLOCK)
    starts = np.random.default_rng(0).integers(0, len(values) - BLOCK, (DRAWS, count))
    totals = np.concatenate([[0.0], np.cumsum(values)])
    means = (totals[starts + BLOCK] - totals[starts]).sum(1) / (count * BLOCK)
    return [float(bound) for bound in np.percentile(means, [2.5, 97.5])]
