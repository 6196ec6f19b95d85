"""One update, pure and compiled once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from lstm_jax.train.run.state import TrainState
from lstm_jax.train.task import Loss


class StepMetrics(NamedTuple):
    """`total`: the loss summed over the batch's `count`. `grad_norm`: before clipping."""

    total: Array
    count: Array
    grad_norm: Array


Gradient = Callable[[TrainState, Any], tuple[Any, tuple[Array, Array, Any]]]


def make_gradient(loss: Loss, model: Any, seed: int) -> Gradient:
    """`gradient(state, batch) -> (gradients, (total, count, carry))`, of the batch's mean loss.

    The carried state is data to it. Dropout masks are a function of seed and step.
    """
    graph = nnx.graphdef(model)
    base_key = jax.random.key(seed)

    def gradient(state: TrainState, batch: Any) -> tuple[Any, tuple[Array, Array, Any]]:
        key = jax.random.fold_in(base_key, state.step)

        def mean_loss(params):
            total, count, carry = loss(nnx.merge(graph, params), state.carry, batch, key)
            return total / jnp.maximum(count, 1), (total, count, carry)

        return jax.grad(mean_loss, has_aux=True)(state.params)

    return gradient


def make_update(
    loss: Loss, model: Any, optimizer: optax.GradientTransformation, seed: int
) -> Callable[[TrainState, Any], tuple[TrainState, StepMetrics]]:
    """`update(state, batch) -> (state, metrics)`, jitted, its state donated."""
    gradient = make_gradient(loss, model, seed)

    @jax.jit(donate_argnames="state")
    def update(state: TrainState, batch: Any) -> tuple[TrainState, StepMetrics]:
        gradients, (total, count, carry) = gradient(state, batch)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = StepMetrics(total, count, optax.tree.norm(gradients))
        return TrainState(state.step + 1, params, opt_state, carry), metrics

    return update
