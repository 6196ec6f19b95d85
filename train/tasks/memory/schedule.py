"""What each update of a long-memory run learns from: the lag, and whether it is one of flossing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.diagnostics import flossing
from lstm_jax.models.sequence_model import SequenceModel
from lstm_jax.recurrence import StackState
from lstm_jax.train.data.memory import LEAST_STEPS
from lstm_jax.train.tasks.memory.config import FlossingConfig, MemoryConfig

FLOSSED = 2  # sequences of an update of flossing; each costs as much as k + 1 ordinary ones


def lag(config: MemoryConfig, epoch: int) -> int:
    """Compute the lag of the training sequences of an epoch.

    Args:
        config: the configuration of the run.
        epoch: the number of the epoch, from 0.
    """
    grown = epoch - config.short_epochs
    if grown >= config.grow_epochs:
        return config.steps
    share = max(grown, 0) / max(config.grow_epochs, 1)
    short = min(max(config.short_steps, LEAST_STEPS[config.problem]), config.steps)
    return round(short * (config.steps / short) ** share)


def flosses(config: FlossingConfig, step: int) -> bool:
    """Return whether an update is one of flossing, in which the task is not learned.

    Args:
        config: the configuration of flossing.
        step: the number of the update, from 1.
    """
    if not config.exponents:
        return False
    if step <= config.before:
        return True
    return bool(config.every) and (step - config.before) % config.every == 0


def flossing_loss(model: SequenceModel, inputs: Array, exponents: int) -> Array:
    """Compute the mean flossing loss of the first sequences of a batch, a scalar.

    Args:
        model: a model whose `recurrent` is a layer, or a partial call of one.
        inputs: sequences, (B, T, D).
        exponents: the number of Lyapunov exponents.
    """
    layer = getattr(model.recurrent, "func", model.recurrent)
    zero = StackState(layer.initial_state())
    k = min(exponents, sum(leaf.size for leaf in jax.tree.leaves(zero)))
    losses = jax.vmap(lambda xs: flossing(layer.step, layer.params, xs, zero, k=k))(
        inputs[:FLOSSED]
    )
    return jnp.mean(losses)
