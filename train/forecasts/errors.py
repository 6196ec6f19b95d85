"""What a forecast is worth."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.promotion import multiply


def errors(truth: np.ndarray, forecast: np.ndarray) -> dict[str, float]:
    """Give MAE and RMSE, in the unit; MAPE, in percent, where every value is above 0.

    Args:
        truth, forecast: of one shape.
    """
    wrong = np.asarray(forecast, np.float64) - truth
    found = {"mae": np.abs(wrong).mean(), "rmse": np.sqrt(np.square(wrong).mean())}
    if (truth > 0).all():
        found["mape"] = 100 * np.abs(wrong / truth).mean()
    return {name: float(value) for name, value in found.items()}


def skill(mae: float, naive_mae: float) -> float:
    """Give 1 - MAE / MAE of the naive forecast: 1 is perfect, 0 no better, below 0 worse.

    Args:
        mae: of the forecast.
        naive_mae: of the naive one.
    """
    return 1 - mae / naive_mae


def coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Give the share of values that lie in their interval.

    Args:
        truth, low, high: of one shape.
    """
    return float(((low <= truth) & (truth <= high)).mean())


def pinball(truth: ArrayLike, forecasts: ArrayLike, quantiles: Sequence[float]) -> Array:
    """Give the loss whose least value is at the quantiles, (..., Q).

    max(q e, (q - 1) e) for the error e = truth - forecast (Koenker & Bassett 1978); truth (...).

    Args:
        truth: (...).
        forecasts: (..., Q).
        quantiles: Q of them, in (0, 1).
    """
    error = jnp.asarray(truth)[..., None] - forecasts
    q = jnp.asarray(quantiles, jnp.float32)
    return jnp.maximum(multiply(q, error), multiply(q - 1, error))
