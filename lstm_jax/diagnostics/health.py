"""Is a training run healthy? Figures of one update and of the gradient's way back through time.

    ‖g‖              the gradient's global norm before clipping, and whether it was clipped
    ‖Δθ‖ / ‖θ‖       how far the update moves the weights; about 1e-3 is the folklore
    ‖dL/ds_t‖        how much of the loss reaches the state of a step, h and c, against its lag

Functions of pytrees and of the loss; `lstm_jax.train.run.health` asks them while a model trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.diagnostics.adjoints import norms_by_lag
from lstm_jax.promotion import float32_at_least
from lstm_jax.trees import Tree

S = TypeVar("S")


class UpdateHealth(NamedTuple):
    """Figures of one update, scalars.

    `grad_norm` is before clipping, `clipped` whether it exceeds the limit, `nonfinite` the number
    of NaN and infinite entries of the gradient, `update_ratio` ‖Δθ‖ / ‖θ‖ of all parameters, and
    `update_ratios` that of each group at the top level of the parameters, by name.
    """

    grad_norm: Array
    clipped: Array
    nonfinite: Array
    update_ratio: Array
    update_ratios: dict[str, Array]


def update_health(
    gradients: Tree, updates: Tree, params: Tree, *, clip_norm: float
) -> UpdateHealth:
    """Find the figures of an update, from three pytrees of one structure.

    Args:
        gradients: before clipping.
        updates: what is added to the parameters.
        params: before the update; a group that is all zeros has the ratio inf, or nan.
        clip_norm: the limit of the gradient's global norm.

    Returns:
        `UpdateHealth`.
    """
    norm = global_norm(gradients)
    bad = [(~jnp.isfinite(leaf)).sum(dtype=jnp.int32) for leaf in jax.tree.leaves(gradients)]
    moved, weights = _groups(updates), _groups(params)
    return UpdateHealth(
        grad_norm=norm,
        clipped=norm > clip_norm,
        nonfinite=sum(bad, jnp.int32(0)),
        update_ratio=global_norm(updates) / global_norm(params),
        update_ratios={n: global_norm(moved[n]) / global_norm(weights[n]) for n in weights},
    )


def global_norm(tree: Tree) -> Array:
    """Give the 2-norm of all entries of a pytree together.

    Args:
        tree: any; 0 of none.

    Returns:
        (), float32 at least.
    """
    squares = [jnp.square(_wide(leaf)).sum() for leaf in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares, jnp.float32(0)))


def adjoint_by_lag(loss: Callable[[S], Array], state: S, steps: int) -> S:
    """Find ‖dL/ds_t‖ of every layer's states, by lag: one norm over the batch and the features.

    Args:
        loss: of what is added to the states, leaves (T + 1, ..., H): the first to the state
            before any step, the others to those after, by `adjoints.perturbed`. A scalar.
        state: arrays of the shapes of the states, leaves (..., H), such as a tuple over layers.
        steps: T.

    Returns:
        The structure of `state`, leaves (T + 1,): entry l is of the state l steps before the
        last. A reset ends the way back.
    """
    zeros = jax.tree.map(lambda leaf: jnp.zeros((steps + 1, *leaf.shape), leaf.dtype), state)
    return norms_by_lag(jax.grad(loss)(zeros))


def _wide(leaf: Array) -> Array:
    return leaf.astype(float32_at_least(leaf.dtype))


def _groups(tree: Tree) -> dict[str, list[Array]]:
    """Leaves by the first key of their path."""
    groups: dict[str, list[Array]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path[:1], simple=True) or "all"
        groups.setdefault(name, []).append(leaf)
    return groups
