"""One update, pure and compiled once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from lstm_jax.models import CharLM
from lstm_jax.train.data.text import Window
from lstm_jax.train.state import TrainState


class StepMetrics(NamedTuple):
    """`nats`: summed over the window's `symbols`. `grad_norm`: before clipping."""

    nats: Array
    symbols: Array
    grad_norm: Array


def make_update(
    model: CharLM, optimizer: optax.GradientTransformation, seed: int
) -> Callable[[TrainState, Window], tuple[TrainState, StepMetrics]]:
    """`update(state, window) -> (state, metrics)`, jitted, its state donated.

    The window's mean loss is differentiated through the window alone: the carried state is data
    to it (truncated backpropagation through time, Williams & Peng 1990). Dropout masks are a
    function of seed and step.
    """
    graph = nnx.graphdef(model)
    base_key = jax.random.key(seed)

    @jax.jit(donate_argnames="state")
    def update(state: TrainState, window: Window) -> tuple[TrainState, StepMetrics]:
        key = jax.random.fold_in(base_key, state.step)
        symbols = window.weights.sum()

        def mean_loss(params):
            carry, nats = nnx.merge(graph, params).loss(
                window.inputs,
                window.targets,
                window.weights,
                state.carry,
                resets=window.resets,
                key=key,
            )
            return nats / jnp.maximum(symbols, 1), (carry, nats)

        gradients, (carry, nats) = jax.grad(mean_loss, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = StepMetrics(nats, symbols, optax.tree.norm(gradients))
        return TrainState(state.step + 1, params, opt_state, carry), metrics

    return update
