"""A moving average of the weights, which an optimizer keeps beside what else it keeps."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax import Array


class AveragedState(NamedTuple):
    """State of an optimizer that averages.

    Attributes:
        inner: the state of the optimizer proper.
        steps: updates so far.
        average: of the weights after each of them; the first weights before there was one.
    """

    inner: optax.OptState
    steps: Array
    average: optax.Params


def averaging(
    optimizer: optax.GradientTransformation, decay: float
) -> optax.GradientTransformation:
    """Keep an exponential moving average of the weights that an optimizer makes.

        a_t = Σ decay^(t - s) θ_s / Σ decay^(t - s)        over the updates s = 1 ... t

    The weights before the first update count for nothing, so that no bias has to be waited out.
    The updates are those of the optimizer alone: nothing of the training changes.

    Args:
        optimizer: whose updates are made.
        decay: in (0, 1); the last 1 / (1 - decay) updates count most.

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
    """Give the weights to judge and to keep: the average where there is one.

    Args:
        opt_state: of an optimizer that may be averaging.
        params: the weights that are trained.
    """
    return opt_state.average if isinstance(opt_state, AveragedState) else params
