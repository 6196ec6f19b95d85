"""The health of a run, computed by a separate program so that the update itself is unaffected.

A measurement takes as long as 1.6 to 1.7 steps of `tang`, 2.2 to 2.6 steps of `smoke` and 3.4 steps
of `adding`; at the default of one in 200 steps, this is 0.9%, 1.3% and 1.7% of the time. Eight
Lyapunov exponents add 0.25, 0.6 and 0.9 steps. Both were measured on 2 cores of a shared x86-64 CPU
with `python tests/benchmarks/health.py`. The program is compiled for the first measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.sharding import PartitionSpec

from lstm_jax.diagnostics.adjoints import perturbed
from lstm_jax.diagnostics.health import UpdateHealth, adjoint_by_lag, update_health
from lstm_jax.stacks import Around
from lstm_jax.train.batch import A, Batch
from lstm_jax.train.config import Precision
from lstm_jax.train.run.devices import Devices, make_devices, sum_over
from lstm_jax.train.run.exponents import Growth, growth
from lstm_jax.train.run.precision import at_precision, recurrent_of
from lstm_jax.train.run.state import TrainState
from lstm_jax.train.run.update import make_gradient
from lstm_jax.train.task import Loss, M
from lstm_jax.trees import Tree


class Health(NamedTuple):
    """Store the health of an update.

    Attributes:
        update: the figures of the update.
        adjoint: a tuple over layers of states with leaves (T + 1,), by lag; empty for bidirectional
            layers, in which a lag is not defined.
        growth: of perturbations of the layers' states, or None; see `exponents.growth`.
    """

    update: UpdateHealth
    adjoint: tuple[Tree, ...]
    growth: Growth | None = None


Look: TypeAlias = Callable[[TrainState, Batch[A]], Health]
"""`health(state, batch)` measures the update that `state` and `batch` will produce."""


def make_health(
    loss: Loss[M],
    model: M,
    optimizer: optax.GradientTransformation,
    seed: int,
    *,
    initial_state: Callable[[M, int], Tree],
    clip_norm: float,
    precision: Precision = "float32",
    devices: Devices | None = None,
    exponents: int = 0,
) -> Look:
    """Build a `Look`, jitted.

    The figures describe the actual update, including its dropout. The adjoint is that of the
    batch's mean loss without dropout, computed with the plain scan and always in float32, and so
    are the Lyapunov exponents.

    Args:
        loss, model, optimizer, seed: as for `make_update`; the model has one `Recurrent`.
        initial_state: see `Task.initial_state`.
        clip_norm: the limit of the gradient's global norm.
        precision: the precision of the update's gradients.
        devices: as for `make_update`.
        exponents: number of Lyapunov exponents.
    """
    graph = nnx.graphdef(model)
    devices = devices or make_devices()

    def make(axis: str | None) -> Callable[[TrainState, Batch[Array]], Health]:
        gradient = make_gradient(at_precision(loss, precision), model, seed, axis)

        def health(state: TrainState, batch: Batch[Array]) -> Health:
            gradients, (_, count, _) = gradient(state, batch)
            updates, _ = optimizer.update(gradients, state.opt_state, state.params)
            update = update_health(gradients, updates, state.params, clip_norm=clip_norm)
            if recurrent_of(model)[1].bidirectional:
                return Health(update, ())
            rows, steps = batch.inputs.shape[:2]

            def mean_loss(epsilons: Tree) -> Array:
                model = perturb(nnx.merge(graph, state.params), epsilons)
                total, _, _ = loss(model, state.carry, batch, None)
                return total / jnp.maximum(count, 1)

            adjoint = adjoint_by_lag(mean_loss, initial_state(model, rows), steps)
            first = 0 if axis is None else rows * jax.lax.axis_index(axis)
            fresh = nnx.merge(graph, state.params)
            grown = growth(loss, fresh, state.carry, batch, exponents, first)
            if axis is not None:
                squares = jax.tree.map(jnp.square, adjoint)
                squares, grown = sum_over(axis, (squares, grown))
                adjoint = jax.tree.map(jnp.sqrt, squares)
            return Health(update, adjoint, grown)

        return health

    return jax.jit(devices.spread(make, outputs=PartitionSpec()))


def perturb(model: M, epsilons: tuple[Tree, ...]) -> M:
    """Add epsilons to the states of a model's layers.

    Args:
        model: a model with one `Recurrent`, which is changed in place, so pass one that was made by
            `nnx.merge`.
        epsilons: a tuple over layers with leaves (T + 1, B, H); the first entries are added to the
            initial states, the others to the states after each step.

    Returns:
        The model.
    """
    name, recurrent = recurrent_of(model)
    start = jax.tree.map(lambda leaf: leaf[0], epsilons)
    after = jax.tree.map(lambda leaf: leaf[1:], epsilons)
    setattr(model, name, partial(recurrent, around=Around(perturbed, after, start)))
    return model


def figures(health: Health) -> dict[str, object]:
    """Convert the health of a step to a line of health.jsonl, rounded to five digits.

    Args:
        health: the result of a `Look`.

    Returns:
        The figures of the update; "adjoint" holds those of each layer, by name and lag, and
        "exponents", if they were measured, the Lyapunov exponents in nats per step.
    """
    update, adjoint, grown = jax.device_get(health)
    line: dict[str, object] = {
        "grad_norm": _short(update.grad_norm),
        "clipped": bool(update.clipped),
        "nonfinite": int(update.nonfinite),
        "update_ratio": _short(update.update_ratio),
        "update_ratios": {name: _short(ratio) for name, ratio in update.update_ratios.items()},
        "adjoint": [
            {name: [_short(x) for x in norms] for name, norms in layer._asdict().items()}
            for layer in adjoint
        ],
    }
    if grown is not None:
        line["exponents"] = [_short(x) for x in grown.logs / max(grown.steps, 1)]
    return line


def _short(number: np.generic) -> float:
    return float(f"{float(number):.5g}")
