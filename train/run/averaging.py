"""A moving average of the weights, kept in the optimizer's state."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax import Array


class AveragedState(NamedTuple):
    """Store the state of an optimizer that also averages the weights.

    Attributes:
        inner: the state of the wrapped optimizer.
        steps: the number of updates so far.
        average: the average of the weights after each update; the initial weights before the first.
    """

    inner: optax.OptState
    steps: Array
    average: optax.Params


def averaging(
    optimizer: optax.GradientTransformation, decay: float
) -> optax.GradientTransformation:
    """Wrap an optimizer so that it keeps an exponential moving average of the weights.

        a_t = Σ decay^(t - s) θ_s / Σ decay^(t - s)        over the updates s = 1 ... t

    The initial weights do not enter the average, so it has no bias at the start. The updates are
    the optimizer's own: training is not affected.

    Args:
        optimizer: the optimizer to wrap.
        decay: the decay in (0, 1); roughly the last 1 / (1 - decay) updates count.

    Returns:
        The transformation, whose state is an `AveragedState`.
    """

    def init(params: optax.Params) -> AveragedState:
        return AveragedState(optimizer.init(params), jnp.int32(0), params)

    def update(
        updates: optax.Updates, state: Any, params: Any = None
    ) -> tuple[optax.Updates, AveragedState]:
        updates, inner = optimizer.update(updates, state.inner, params)
        steps = state.steps + 1
        share = (1 - decay) / -jnp.expm1(steps * math.log(decay))
        new = optax.apply_updates(params, updates)
        average = optax.incremental_update(new, state.average, share)
        return updates, AveragedState(inner, steps, average)

    return optax.GradientTransformation(init, update)


def averaged(opt_state: optax.OptState, params: Any) -> Any:
    """Return the weights to validate and save: their average, if the optimizer keeps one.

    Args:
        opt_state: the state of an optimizer, averaging or not.
        params: the weights being trained.
    """
    return opt_state.average if isinstance(opt_state, AveragedState) else params
