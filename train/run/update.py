"""The training update, a pure function that is compiled once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.sharding import PartitionSpec

from lstm_jax.train.batch import A, Batch
from lstm_jax.train.run.devices import STATE, Devices, make_devices, sum_over
from lstm_jax.train.run.state import TrainState
from lstm_jax.train.task import Loss, M
from lstm_jax.trees import Tree


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StepMetrics:
    """Store the figures of a step, as scalars.

    Attributes:
        total: the sum of the batch's losses.
        count: the number of losses, or the sum of their weights.
        grad_norm: the gradient's global norm before clipping.
        finite: whether loss and gradient were finite, so that the update was applied.
    """

    total: Array
    count: Array
    grad_norm: Array
    finite: Array


Gradient: TypeAlias = Callable[
    [TrainState, Batch[Array]], tuple[nnx.State, tuple[Array, Array, Tree]]
]
"""`gradient(state, batch) -> (gradients, (total, count, carry))`, for the batch's mean loss."""

Update: TypeAlias = Callable[[TrainState, Batch[A]], tuple[TrainState, StepMetrics]]
"""`update(state, batch) -> (state, metrics)`."""


def make_gradient(loss: Loss[M], model: M, seed: int, axis: str | None = None) -> Gradient:
    """Build a `Gradient`.

    The gradient does not flow into the carried state. Dropout masks depend only on the seed and the
    step, and on a mesh also on the position of the rows in it, so meshes of different shapes draw
    different masks.

    Args:
        loss: the loss of the task.
        model: a model with the structure of the parameters.
        seed: the seed of the dropout masks.
        axis: the axis of the mesh over which the rows are split, inside `Devices.spread`; the
            gradient is then summed over the devices. None if every device has all rows.
    """
    graph = nnx.graphdef(model)
    base_key = jax.random.key(seed)

    def gradient(
        state: TrainState, batch: Batch[Array]
    ) -> tuple[nnx.State, tuple[Array, Array, Tree]]:
        key = jax.random.fold_in(base_key, state.step)
        if axis is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(axis))

        def mean_loss(params: nnx.State) -> tuple[Array, tuple[Array, Array, Tree]]:
            total, count, carry = loss(nnx.merge(graph, params), state.carry, batch, key)
            mean = total / jnp.maximum(count, 1) if axis is None else total
            return mean, (total, count, carry)

        gradients, (total, count, carry) = jax.grad(mean_loss, has_aux=True)(state.params)
        if axis is not None:
            gradients, total, count = sum_over(axis, (gradients, total, count))
            gradients = jax.tree.map(lambda leaf: leaf / jnp.maximum(count, 1), gradients)
        return gradients, (total, count, carry)

    return gradient


def make_update(
    loss: Loss[M],
    model: M,
    optimizer: optax.GradientTransformation,
    seed: int,
    devices: Devices | None = None,
) -> Update:
    """Build an `Update`, jitted, whose state is donated.

    If the loss or the gradient's norm is not finite, the step is counted but nothing else in the
    state changes, because parameters that have become NaN never recover. This is decided inside the
    compiled step, so that the host does not have to wait for the result.

    Args:
        loss, model, seed: as for `make_gradient`.
        optimizer: the transformation from `make_optimizer`.
        devices: the devices over which the state and the batches are spread; one if None.
    """
    devices = devices or make_devices()

    def make(axis: str | None) -> Callable[[TrainState, Batch[Array]], Any]:
        gradient = make_gradient(loss, model, seed, axis)

        def update(state: TrainState, batch: Batch[Array]) -> tuple[TrainState, StepMetrics]:
            gradients, (total, count, carry) = gradient(state, batch)
            updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
            params = cast(nnx.State, optax.apply_updates(state.params, updates))
            norm = optax.tree.norm(gradients)
            finite = jnp.isfinite(total) & jnp.isfinite(norm)
            new, old = (params, opt_state, carry), (state.params, state.opt_state, state.carry)
            kept = jax.tree.map(lambda there, here: jnp.where(finite, there, here), new, old)
            return TrainState(state.step + 1, *kept), StepMetrics(total, count, norm, finite)

        return update

    spread = devices.spread(make, outputs=(STATE, PartitionSpec()))

    @jax.jit(donate_argnames="state")
    def update(state: TrainState, batch: Batch[Array]) -> tuple[TrainState, StepMetrics]:
        after, metrics = spread(state, batch)
        return devices.hold(after), metrics

    return update
