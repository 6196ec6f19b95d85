"""Error measures of forecasts."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.promotion import multiply


def errors(truth: np.ndarray, forecast: np.ndarray) -> dict[str, float]:
    """Compute MAE and RMSE, and the MAPE in percent if every value is above 0.

    Args:
        truth, forecast: arrays of the same shape.
    """
    error = np.asarray(forecast, np.float64) - truth
    measures = {"mae": np.abs(error).mean(), "rmse": np.sqrt(np.square(error).mean())}
    if (truth > 0).all():
        measures["mape"] = 100 * np.abs(error / truth).mean()
    return {name: float(value) for name, value in measures.items()}


def skill(mae: float, naive_mae: float) -> float:
    """Compute 1 - MAE / naive MAE: 1 is perfect, 0 is as good as the naive forecast, < 0 is worse.

    Args:
        mae: the MAE of the forecast.
        naive_mae: the MAE of the naive forecast.
    """
    return 1 - mae / naive_mae


def coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Compute the share of values that lie within their intervals.

    Args:
        truth, low, high: arrays of the same shape.
    """
    return float(((low <= truth) & (truth <= high)).mean())


def pinball(truth: ArrayLike, forecasts: ArrayLike, quantiles: Sequence[float]) -> Array:
    """Compute the pinball loss, which is minimal at the quantiles, (..., Q).

    max(q e, (q - 1) e) for the error e = truth - forecast (Koenker & Bassett 1978).

    Args:
        truth: the values, (...).
        forecasts: the predicted quantiles, (..., Q).
        quantiles: Q quantiles in (0, 1).
    """
    error = jnp.asarray(truth)[..., None] - forecasts
    q = jnp.asarray(quantiles, jnp.float32)
    return jnp.maximum(multiply(q, error), multiply(q - 1, error))
