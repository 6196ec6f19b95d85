"""The health of a training run: figures of one update, and the gradient's path through time.

    ‖g‖              the gradient's global norm before clipping, and whether it was clipped
    ‖Δθ‖ / ‖θ‖       how far the update moves the weights; about 1e-3 is a rule of thumb
    ‖dL/ds_t‖        how much the loss depends on the state of a step, h and c, by lag

They are functions of pytrees and of the loss; `lstm_jax.train.run.health` calls them while a model
trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.diagnostics.adjoints import norms_by_lag
from lstm_jax.trees import Tree, widened

S = TypeVar("S")


class UpdateHealth(NamedTuple):
    """Store the figures of one update, as scalars.

    Attributes:
        grad_norm: norm of the gradient before clipping.
        clipped: whether it exceeds the limit.
        nonfinite: number of NaN and infinite entries of the gradient.
        update_ratio: ‖Δθ‖ / ‖θ‖ of all parameters.
        update_ratios: the ratio of each group at the top level of the parameters, by name.
    """

    grad_norm: Array
    clipped: Array
    nonfinite: Array
    update_ratio: Array
    update_ratios: dict[str, Array]


def update_health(
    gradients: Tree, updates: Tree, params: Tree, *, clip_norm: float
) -> UpdateHealth:
    """Compute the figures of an update from three pytrees of the same structure.

    Args:
        gradients: gradients before clipping.
        updates: updates to add to the parameters.
        params: parameters before the update; a group that is all zeros has the ratio inf or nan.
        clip_norm: limit of the gradient's global norm.

    Returns:
        `UpdateHealth`.
    """
    norm = global_norm(gradients)
    counts = [(~jnp.isfinite(leaf)).sum(dtype=jnp.int32) for leaf in jax.tree.leaves(gradients)]
    changes, weights = _groups(updates), _groups(params)
    return UpdateHealth(
        grad_norm=norm,
        clipped=norm > clip_norm,
        nonfinite=sum(counts, jnp.int32(0)),
        update_ratio=global_norm(updates) / global_norm(params),
        update_ratios={n: global_norm(changes[n]) / global_norm(weights[n]) for n in weights},
    )


def global_norm(tree: Tree) -> Array:
    """Compute the 2-norm of all entries of a pytree together.

    Args:
        tree: any pytree.

    Returns:
        The norm, (), float32 at least; 0 for a pytree without leaves.
    """
    squares = [jnp.square(widened(leaf)).sum() for leaf in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares, jnp.float32(0)))


def adjoint_by_lag(loss: Callable[[S], Array], state: S, steps: int) -> S:
    """Compute ‖dL/ds_t‖ of every layer's states by lag, as a norm over the batch and the features.

    Args:
        loss: function that returns a scalar from perturbations of the states, leaves
            (T + 1, ..., H). The first is added to the state before any step, the others to the
            states after each step, by `adjoints.perturbed`.
        state: arrays with the shapes of the states, leaves (..., H), such as a tuple over layers.
        steps: T.

    Returns:
        The structure of `state`, leaves (T + 1,); entry l belongs to the state l steps before the
        last. The norm is 0 before a reset.
    """
    zeros = jax.tree.map(lambda leaf: jnp.zeros((steps + 1, *leaf.shape), leaf.dtype), state)
    return norms_by_lag(jax.grad(loss)(zeros))


def _groups(tree: Tree) -> dict[str, list[Array]]:
    """Group leaves by the first key of their path."""
    groups: dict[str, list[Array]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path[:1], simple=True) or "all"
        groups.setdefault(name, []).append(leaf)
    return groups
