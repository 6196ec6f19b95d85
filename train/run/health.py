"""The health of a run, by a program of its own, so that the ordinary update stays as it is.

A look costs 1.6 to 1.7 steps of `tang`, 2.2 to 2.6 of `smoke` and 3.4 of `adding`: at the default
of one in 200 steps 0.9%, 1.3% and 1.7% of the time, measured on 2 cores of a shared x86-64 CPU by
`python tests/benchmarks/health.py`. The program is compiled when the first look is due.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from lstm_jax.diagnostics.health import UpdateHealth, adjoint_by_lag, perturbed, update_health
from lstm_jax.functional import zero_state
from lstm_jax.nn.layers import Recurrent
from lstm_jax.recurrence import scan
from lstm_jax.train.batch import A, Batch
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
) -> Look:
    """Make a `Look`, jitted.

    The figures of the update are those of the very same update, dropout and all. The adjoint is of
    the batch's mean loss without dropout, through the plain scan.

    Args:
        loss, model, optimizer, seed: as for `make_update`; the model has one `Recurrent`.
        initial_state: as a `Task` has it.
        clip_norm: the limit of the gradient's global norm.
    """
    graph = nnx.graphdef(model)
    gradient = make_gradient(loss, model, seed)

    @jax.jit
    def health(state: TrainState, batch: Batch[Array]) -> Health:
        gradients, _ = gradient(state, batch)
        updates, _ = optimizer.update(gradients, state.opt_state, state.params)
        looked = update_health(gradients, updates, state.params, clip_norm=clip_norm)
        if _recurrent(model)[1].bidirectional:
            return Health(looked, ())
        rows, steps = batch.inputs.shape[:2]

        def mean_loss(epsilons: Tree) -> Array:
            model = perturb(nnx.merge(graph, state.params), epsilons)
            total, count, _ = loss(model, state.carry, batch, None)
            return total / jnp.maximum(count, 1)

        return Health(looked, adjoint_by_lag(mean_loss, initial_state(model, rows), steps))

    return health


def perturb(model: Any, epsilons: tuple[Any, ...]) -> Any:
    """`model` with epsilons, leaves (T + 1, B, H), added to the states of its layers.

    The model is changed in place: give one that `nnx.merge` made. Dropout between layers is off.
    """
    name, recurrent = _recurrent(model)
    setattr(model, name, _Perturbed(recurrent, epsilons))
    return model


def _recurrent(model: Any) -> tuple[str, Recurrent]:
    [found] = [(name, part) for name, part in vars(model).items() if isinstance(part, Recurrent)]
    return found


class _Perturbed:
    """Stands in for a `Recurrent` in a model: the same layers, through the plain scan."""

    def __init__(self, recurrent: Recurrent, epsilons: tuple[Any, ...]):
        self.recurrent, self.epsilons = recurrent, epsilons

    def __call__(
        self,
        xs: Array,
        state: tuple[Any, ...] | None = None,
        *,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[Any, ...], Array]:
        recurrent = self.recurrent
        if key is not None:
            raise ValueError("there is no dropout here: key must be None")
        if recurrent.time_major:
            raise ValueError("the layers of a model in training are batch-major")
        controls = {"lengths": lengths, "mask": mask, "resets": resets}
        xs, controls["mask"], controls["resets"] = (
            None if a is None else jnp.swapaxes(a, 0, 1) for a in (xs, mask, resets)
        )
        step, final_states = perturbed(recurrent.cell.step), []
        for index, (layer, epsilon) in enumerate(zip(recurrent.layers, self.epsilons, strict=True)):
            params = layer.params
            start = zero_state(recurrent.cell, params, xs) if state is None else state[index]
            start = jax.tree.map(lambda s, e: s + e[0], start, epsilon)
            after = jax.tree.map(lambda e: e[1:], epsilon)
            final, xs = scan(step, params, (xs, after), start, **controls)
            final_states.append(final)
        return tuple(final_states), jnp.swapaxes(xs, 0, 1)


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
