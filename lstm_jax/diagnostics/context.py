"""The loss of a trained model against the length of its context, which shows its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import P, S, Step
from lstm_jax.diagnostics.linear import check, refuse_nan
from lstm_jax.recurrence import scan
from lstm_jax.trees import Tree


class ContextLoss(NamedTuple):
    """Store `contexts` (L,), in steps, and `losses` (L, T - longest + 1, ...).

    A column is one predicted step, and all rows have the same steps. The mean of a row is the loss
    at that context, and rows can be compared prediction by prediction.
    """

    contexts: Array
    losses: Array


def loss_by_context(
    step: Step[P, S, Tree],
    params: P,
    xs: Tree,
    state: S,
    loss: Callable[[S, Array], Array],
    contexts: Sequence[int],
) -> ContextLoss:
    """Compute the loss of each step when the model has read only the last `context` inputs.

    The method is that of Khandelwal et al. (2018). For every step from the longest context on, the
    recurrence starts from `state`, reads that many inputs up to and including the step's own, and
    predicts.

    Args:
        step, params: as in `lstm_jax.scan`.
        xs: inputs of one sequence, leaves (T, ...).
        state: initial state of the model, such as zeros, without batch axes.
        loss: `(final_state, t) -> ()`, the loss of the prediction at time t from the state after
            reading x_t; t is an index array.
        contexts: numbers of inputs to read, each in [1, T].

    Returns:
        `ContextLoss`, with losses (L, T - max(contexts) + 1).

    Raises:
        TypeError, ValueError: as in `lstm_jax.diagnostics.linear.check`, or if a context is out of
            range.
    """
    steps = check(step, params, xs, state)
    contexts = [int(context) for context in contexts]
    if not contexts or min(contexts) < 1 or max(contexts) > steps:
        raise ValueError(f"contexts must lie in [1, T={steps}], got {contexts}")
    times = jnp.arange(max(contexts) - 1, steps)

    def at(context, t):
        window = jax.tree.map(
            lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, t - context + 1, context), xs
        )
        final, _ = scan(step, params, window, state, emit=None)
        return loss(final, t)

    rows = [jax.vmap(lambda t, c=c: at(c, t))(times) for c in contexts]
    return ContextLoss(jnp.asarray(contexts), jnp.stack(rows))


def memory_length(contexts: Array, losses: Array, *, tolerance: float = 0.01) -> Array:
    """Find the smallest context whose loss is within a tolerance of the loss at the longest.

    Args:
        contexts: contexts in ascending order, (L,).
        losses: mean loss at each context, (L,), in nats.
        tolerance: tolerance in nats.

    Returns:
        One of the contexts, (). In traced losses, NaN counts as not within the tolerance.

    Raises:
        ValueError: if losses are NaN.
    """
    refuse_nan("losses", losses)
    near = losses <= losses[-1] + tolerance
    last_far = jnp.max(jnp.where(near, -1, jnp.arange(len(losses))))
    return contexts[jnp.minimum(last_far + 1, len(losses) - 1)]
