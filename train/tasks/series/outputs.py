"""What a forecaster says of each step, and how that is judged: mean, quantiles, distribution."""

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
    """Say how many numbers the model gives of each step."""
    if config.likelihood != "none":
        return DISTRIBUTIONS[config.likelihood].parameters
    return max(len(config.quantiles), 1)


def middle(config: SeriesConfig) -> int:
    """Say which of the forecasts is the point forecast: the median, or the only one."""
    return len(config.quantiles) // 2


def loss_of(outputs: ArrayLike, targets: ArrayLike, quantiles: Sequence[float]) -> Array:
    """Judge forecasts by the pinball loss of quantiles, else by the squared error.

    Args:
        outputs: (B, H, Q), of Q quantiles, or one.
        targets: (B, H).
        quantiles: Q of them; none for the mean.

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
    """Add up the losses of windows.

    Args:
        config: of the run.
        outputs: (B, H, outputs).
        targets: (B, H), or (B, H, 2) with the series' scale beside each for a distribution.
        weights: (B, H), 0 where a target is missing; None if none is.

    Returns:
        `(total, count)`, in windows.
    """
    outputs, targets = jnp.asarray(outputs), jnp.asarray(targets)
    if config.likelihood == "none" and weights is None:
        return summed(loss_of(outputs, targets, config.quantiles))
    values = targets if config.likelihood == "none" else targets[..., 0]
    weights = jnp.ones(values.shape) if weights is None else jnp.asarray(weights)
    # What is missing is put to 0 before it is looked at: a derivative at NaN is NaN, whatever its
    # weight is.
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
    """Give the targets of windows as `judged` takes them."""
    if config.likelihood == "none":
        return windows.targets
    scale = ready.target_scaler.scale[ready.owner[windows.at]]
    scale = np.broadcast_to(scale, windows.targets.shape)
    return np.stack([windows.targets, scale], -1).astype(np.float32)


def forecasts_of(
    config: SeriesConfig, ready: Prepared, outputs: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """Give what the model says of rows in the target's unit, quantiles or a mean: (N, H, Q).

    Args:
        config: of the run.
        ready: the series.
        outputs: (N, H, outputs), as the model gives them.
        at: (N,), the rows at which they were made.
    """
    if config.likelihood != "none":
        scale = ready.target_scaler.scale[ready.owner[at], 0]
        outputs = quantiles_of(config.likelihood, outputs, config.quantiles, scale)
    return ready.restore(outputs, at)


def make_predict(model: Forecaster) -> Callable[[nnx.State, np.ndarray], np.ndarray]:
    """Make `predict(params, inputs (N, T, D)) -> scaled outputs (N, H, Q)`, compiled once.

    Args:
        model: whose structure the parameters have.
    """
    graph = nnx.graphdef(model)

    @jax.jit
    def outputs(params: nnx.State, inputs: Array) -> Array:
        return nnx.merge(graph, params)(inputs)

    def predict(params: nnx.State, inputs: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(inputs), AT_ONCE):
            some = inputs[start : start + AT_ONCE]
            # The last few are filled up, so that there is one shape and one program.
            filled = np.resize(some, (min(AT_ONCE, len(inputs)), *some.shape[1:]))
            found.append(np.asarray(outputs(params, filled))[: len(some)])
        return np.concatenate(found)

    return predict
