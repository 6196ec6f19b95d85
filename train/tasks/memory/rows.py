"""Held-out sequences of one length for a report."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from lstm_jax.models.storage import Stored
from lstm_jax.report.rows import Rows
from lstm_jax.train.data.memory import COPY_LENGTH
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import held_out


def sequences_to_read(stored: Stored, config: MemoryConfig, count: int, steps: int) -> Rows:
    """Generate sequences of the test split, all of the most frequent length.

    Args:
        stored: ignored.
        config: configuration of the run.
        count: number of sequences.
        steps: ignored, because a cut could remove what the model must remember.
    """
    del stored, steps
    batches = held_out(config, "test")
    inputs, targets = (
        [row for batch in batches for row in getattr(batch, name)] for name in ("inputs", "targets")
    )
    lengths = [int(length) for batch in batches for length in np.asarray(batch.lengths)]
    [(length, _)] = Counter(lengths).most_common(1)
    chosen = [place for place, size in enumerate(lengths) if size == length][:count]
    end = COPY_LENGTH if config.problem == "copy" else 0
    squared = config.problem in ("adding", "flipflop")
    outputs = {"copy": _recalled, "flipflop": _every}
    return Rows(
        inputs=np.stack([inputs[place][:length] for place in chosen]),
        targets=np.stack([targets[place][-end:] if end else targets[place] for place in chosen]),
        outputs=outputs.get(config.problem, _last),
        loss=_squared if squared else _cross_entropy,
        unit="squared error" if squared else "nats",
        kind="sequence",
        source=f"Generated sequences of {config.problem}, T = {config.steps:,}, of the test.",
        least=max(end, 1),
    )


def _last(model: Any, xs: Array) -> Array:
    return model.last(xs)[1]


def _recalled(model: Any, xs: Array) -> Array:
    """Return the outputs of the last steps, where the symbols are repeated, (B, COPY_LENGTH, O)."""
    return model(xs)[1][:, -COPY_LENGTH:]


def _every(model: Any, xs: Array) -> Array:
    """What it says at every step, (B, T, O)."""
    return model(xs)[1]


def _squared(outputs: Array, targets: Array) -> Array:
    errors = jnp.square(outputs - jnp.reshape(targets, outputs.shape))
    return errors.reshape(len(errors), -1).mean(-1)


def _cross_entropy(outputs: Array, targets: Array) -> Array:
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.asarray(targets))
    return losses.reshape(len(losses), -1).mean(-1)
