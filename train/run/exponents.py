"""Lyapunov exponents of a model's layers while they read the sequences that they learn from."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.diagnostics.lyapunov import lyapunov_spectrum
from lstm_jax.nn.recurrent import Recurrent
from lstm_jax.recurrence import StackState
from lstm_jax.train.batch import Batch
from lstm_jax.train.run.precision import recurrent_of
from lstm_jax.train.task import Loss, M
from lstm_jax.trees import Tree

SEQUENCES = 4
"""Number of sequences at the start of a batch that are measured."""


class Growth(NamedTuple):
    """Store the growth of small perturbations, added up over sequences.

    Attributes:
        logs: Σ λ_i T over the sequences, in nats, (k,); the largest exponents first.
        steps: Σ T over the sequences, ().
    """

    logs: Array
    steps: Array


class Recorder:
    """Call a layer, which is `func` as in a `functools.partial`, and keep what it reads."""

    def __init__(self, func: Recurrent):
        self.func = func

    def __call__(
        self, xs: Array, *arguments: Tree, lengths: Array | None = None, **options: Tree
    ) -> tuple[tuple[Tree, ...], Array]:
        """Call the layer, with its own arguments."""
        self.xs, self.lengths = xs, lengths
        return self.func(xs, *arguments, lengths=lengths, **options)


def growth(
    loss: Loss[M], model: M, carry: Tree, batch: Batch[Array], k: int, first: ArrayLike = 0
) -> Growth | None:
    """Measure how fast perturbations of the layers' states grow along the first sequences.

    The states of all layers together are one system, as in `Recurrent.step`, driven by what the
    layers read without dropout, from the state before a sequence. Padding after the end of a
    sequence is left out. Resets are ignored, because they would erase every perturbation: packed
    texts are read like one long text.

    Args:
        loss: the loss of a task.
        model: a model with one `Recurrent`, which is changed in place, so pass one that was made by
            `nnx.merge`.
        carry: as for `loss`.
        batch: the batch, or this device's rows of it.
        k: number of exponents; at most all of them are measured.
        first: number of rows of the batch before this device's.

    Returns:
        The growth along those of the first `SEQUENCES` rows that are in `batch`; None if k is 0, or
        for bidirectional layers and layers with connections, which are not a stack of steps.
    """
    name, layers = recurrent_of(model)
    if not k or layers.bidirectional or layers.connections:
        return None
    recorder = Recorder(layers)
    setattr(model, name, recorder)
    loss(model, carry, batch, None)
    rows, steps = recorder.xs.shape[:2]
    lengths = jnp.full(rows, steps) if recorder.lengths is None else recorder.lengths
    lengths = jnp.where(first + jnp.arange(rows) < SEQUENCES, lengths, 0)[:SEQUENCES]
    start = StackState(layers.initial_state())
    size = sum(leaf.size for leaf in jax.tree.leaves(start))

    def step(params: tuple[Tree, ...], state: StackState, read: tuple[Array, Array]) -> StackState:
        """Take a step, or keep the state after the end of the sequence."""
        x, valid = read
        new = layers.step(params, state, x)
        return jax.tree.map(lambda after, before: jnp.where(valid, after, before), new, state)

    def exponents(xs: Array, length: Array) -> Array:
        inputs = xs, jnp.arange(steps) < length
        return lyapunov_spectrum(step, layers.params, inputs, start, k=min(k, size)).exponents

    each = jax.vmap(exponents)(recorder.xs[:SEQUENCES], lengths)
    return Growth(steps * each.sum(0), lengths.sum().astype(each.dtype))
