"""Outputs of a forecaster and their loss: the mean, quantiles, or a distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.models.forecaster import Forecaster
from lstm_jax.train.data.panels.windows import Prepared, Windows
from lstm_jax.train.forecasts.distributions import DISTRIBUTIONS, quantiles_of
from lstm_jax.train.forecasts.errors import pinball
from lstm_jax.train.task import summed
from lstm_jax.train.tasks.series.config import SeriesConfig

AT_ONCE = 512


def outputs_of(config: SeriesConfig) -> int:
    """Return the number of outputs of the model for each step."""
    if config.likelihood != "none":
        return DISTRIBUTIONS[config.likelihood].parameters
    return max(len(config.quantiles), 1)


def middle(config: SeriesConfig) -> int:
    """Return the index of the point forecast: the median, or the only forecast."""
    return len(config.quantiles) // 2


def loss_of(outputs: ArrayLike, targets: ArrayLike, quantiles: Sequence[float]) -> Array:
    """Compute the pinball loss of quantiles, or the squared error of means.

    Args:
        outputs: (B, H, Q), or (B, H, 1) for means.
        targets: (B, H).
        quantiles: Q quantiles; empty for means.

    Returns:
        The loss of each window, (B,).
    """
    outputs = jnp.asarray(outputs)
    if quantiles:
        return pinball(targets, outputs, quantiles).mean((1, 2))
    return jnp.square(outputs[..., 0] - targets).mean(1)


def judged(
    config: SeriesConfig, outputs: ArrayLike, targets: ArrayLike, weights: ArrayLike | None
) -> tuple[Array, Array]:
    """Sum the losses of windows.

    Args:
        config: configuration of the run.
        outputs: (B, H, outputs).
        targets: (B, H), or for a distribution (B, H, 2) with the scale of the series.
        weights: (B, H), 0 where a target is missing; None if no target is.

    Returns:
        `(total, count)`, where the count is in windows.
    """
    outputs, targets = jnp.asarray(outputs), jnp.asarray(targets)
    if config.likelihood == "none" and weights is None:
        return summed(loss_of(outputs, targets, config.quantiles))
    values = targets if config.likelihood == "none" else targets[..., 0]
    weights = jnp.ones(values.shape) if weights is None else jnp.asarray(weights)
    # Missing values are replaced by 0 before the loss, because a derivative at NaN is NaN whatever
    # its weight.
    values = jnp.where(weights == 0, 0, values)
    if config.likelihood == "none":
        steps = values.shape[1]
        flat = outputs.reshape(-1, 1, outputs.shape[-1])
        losses = loss_of(flat, values.reshape(-1, 1), config.quantiles).reshape(-1, steps)
    else:
        scale = targets[..., 1]
        if config.likelihood == "negative-binomial":
            values = jnp.round(values * scale)
        losses = DISTRIBUTIONS[config.likelihood].loss(outputs, values, scale)
    return summed(losses, weights / values.shape[1])


def targets_of(config: SeriesConfig, ready: Prepared, windows: Windows) -> np.ndarray:
    """Return the targets of windows in the form that `judged` expects."""
    if config.likelihood == "none":
        return windows.targets
    scale = ready.target_scaler.scale[ready.owner[windows.at]]
    scale = np.broadcast_to(scale, windows.targets.shape)
    return np.stack([windows.targets, scale], -1).astype(np.float32)


def forecasts_of(
    config: SeriesConfig, ready: Prepared, outputs: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """Convert outputs of the model to forecasts in the unit of the target, (N, H, Q).

    Args:
        config: configuration of the run.
        ready: the series.
        outputs: (N, H, outputs), the outputs of the model.
        at: (N,), the rows at which the forecasts were made.
    """
    if config.likelihood != "none":
        scale = ready.target_scaler.scale[ready.owner[at], 0]
        outputs = quantiles_of(config.likelihood, outputs, config.quantiles, scale)
    restored = ready.restore(outputs, at)
    # Quantiles of counts are counts, also after they were scaled in float32.
    return np.round(restored) if config.likelihood == "negative-binomial" else restored


def make_predict(model: Forecaster) -> Callable[[nnx.State, np.ndarray], np.ndarray]:
    """Build `predict(params, inputs (N, T, D)) -> scaled outputs (N, H, Q)`, compiled once.

    Args:
        model: a model with the structure of the parameters.
    """
    graph = nnx.graphdef(model)

    @jax.jit
    def outputs(params: nnx.State, inputs: Array) -> Array:
        return nnx.merge(graph, params)(inputs)

    def predict(params: nnx.State, inputs: np.ndarray) -> np.ndarray:
        batches = []
        for start in range(0, len(inputs), AT_ONCE):
            batch = inputs[start : start + AT_ONCE]
            # The last batch is filled up, so that there is only one shape and one program.
            filled = np.resize(batch, (min(AT_ONCE, len(inputs)), *batch.shape[1:]))
            batches.append(np.asarray(outputs(params, filled))[: len(batch)])
        return np.concatenate(batches)

    return predict
