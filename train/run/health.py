"""The health of a run, by a program of its own, so that the ordinary update stays as it is.

A look costs 1.6 to 1.7 steps of `tang`, 2.2 to 2.6 of `smoke` and 3.4 of `adding`: at the default
of one in 200 steps 0.9%, 1.3% and 1.7% of the time, measured on 2 cores of a shared x86-64 CPU by
`python tests/benchmarks/health.py`. The program is compiled when the first look is due.
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
from lstm_jax.train.run.devices import Devices, make_devices, norm_over
from lstm_jax.train.run.precision import at_precision, recurrent_of
from lstm_jax.train.run.state import TrainState
from lstm_jax.train.run.update import make_gradient
from lstm_jax.train.task import Loss, M
from lstm_jax.trees import Tree


class Health(NamedTuple):
    """`update`: its figures. `adjoint`: a tuple over layers of states, leaves (T + 1,), by lag.

    Of layers that read in both directions there is no adjoint: from which end would a lag count?
    """

    update: UpdateHealth
    adjoint: tuple[Tree, ...]


Look: TypeAlias = Callable[[TrainState, Batch[A]], Health]
"""`health(state, batch)` of the update that is about to be made of them."""


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
) -> Look:
    """Make a `Look`, jitted.

    The figures of the update are those of the very same update, dropout and all. The adjoint is of
    the batch's mean loss without dropout, through the plain scan, in float32 always.

    Args:
        loss, model, optimizer, seed: as for `make_update`; the model has one `Recurrent`.
        initial_state: as a `Task` has it.
        clip_norm: the limit of the gradient's global norm.
        precision: that the update's gradients are computed in.
        devices: as for `make_update`.
    """
    graph = nnx.graphdef(model)
    devices = devices or make_devices()

    def make(axis: str | None) -> Callable[[TrainState, Batch[Array]], Health]:
        gradient = make_gradient(at_precision(loss, precision), model, seed, axis)

        def health(state: TrainState, batch: Batch[Array]) -> Health:
            gradients, (_, count, _) = gradient(state, batch)
            updates, _ = optimizer.update(gradients, state.opt_state, state.params)
            looked = update_health(gradients, updates, state.params, clip_norm=clip_norm)
            if recurrent_of(model)[1].bidirectional:
                return Health(looked, ())
            rows, steps = batch.inputs.shape[:2]

            def mean_loss(epsilons: Tree) -> Array:
                model = perturb(nnx.merge(graph, state.params), epsilons)
                total, _, _ = loss(model, state.carry, batch, None)
                return total / jnp.maximum(count, 1)

            adjoint = adjoint_by_lag(mean_loss, initial_state(model, rows), steps)
            return Health(looked, adjoint if axis is None else norm_over(axis, adjoint))

        return health

    return jax.jit(devices.spread(make, outputs=PartitionSpec()))


def perturb(model: M, epsilons: tuple[Tree, ...]) -> M:
    """Add epsilons to the states of a model's layers.

    Args:
        model: with one `Recurrent`; it is changed in place: give one that `nnx.merge` made.
        epsilons: a tuple over layers, leaves (T + 1, B, H): the first are added to the states at
            the start, the others to those after each step.

    Returns:
        The model.
    """
    name, recurrent = recurrent_of(model)
    start = jax.tree.map(lambda leaf: leaf[0], epsilons)
    after = jax.tree.map(lambda leaf: leaf[1:], epsilons)
    setattr(model, name, partial(recurrent, around=Around(perturbed, after, start)))
    return model


def figures(health: Health) -> dict[str, object]:
    """Fetch a look at a step's health for a line of health.jsonl, to five digits.

    Args:
        health: what a `Look` gives.

    Returns:
        The figures of the update, and under "adjoint" those of each layer, by name and lag.
    """
    update, adjoint = jax.device_get(health)
    return {
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


def _short(number: np.generic) -> float:
    return float(f"{float(number):.5g}")
