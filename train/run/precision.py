"""The precision of the loss; parameters and long sums are always float32."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.nn.recurrent import Recurrent
from lstm_jax.train.batch import Batch
from lstm_jax.train.config import Precision
from lstm_jax.train.task import Loss, M
from lstm_jax.trees import Tree


def at_precision(loss: Loss[M], precision: Precision) -> Loss[M]:
    """Return a loss that is computed in the given precision.

    With bfloat16, the parameters are rounded when the loss reads them, and h is passed from step to
    step in bfloat16. Everything that sums many small terms stays in float32: the cell state c, the
    softmaxes, the loss and its count. The loss takes float32 parameters and a float32 carry and
    returns a float32 carry, so its gradients are float32 too.

    Args:
        loss: the loss of a task.
        precision: the precision; float32 returns `loss` unchanged.

    Returns:
        A loss for the same models and batches.
    """
    if precision == "float32":
        return loss

    def rounded(
        model: M, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        graph, params = nnx.split(model)
        model = nnx.merge(graph, jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params))
        _, recurrent = recurrent_of(model)
        # The layers round their own inputs. The batch as a whole is not rounded, because some
        # inputs are category codes, and bfloat16 cannot represent odd numbers above 256.
        recurrent.dtype = jnp.bfloat16
        total, count, new = loss(model, _cast_to_states(recurrent, carry), batch, key)
        return total, count, jax.tree.map(lambda leaf, old: leaf.astype(old.dtype), new, carry)

    return rounded


def recurrent_of(model: nnx.Module) -> tuple[str, Recurrent]:
    """Find the `Recurrent` of a model, and the name of the attribute that holds it.

    Args:
        model: the model of a task, which has exactly one `Recurrent`.

    Returns:
        `(name, recurrent)`.
    """
    [attribute] = [(n, part) for n, part in vars(model).items() if isinstance(part, Recurrent)]
    return attribute


def _cast_to_states(recurrent: Recurrent, carry: Tree) -> Tree:
    """Cast a carry to the dtypes of the layers' own states; () is returned unchanged."""
    if not jax.tree.leaves(carry):
        return carry
    initial = jax.eval_shape(lambda: recurrent.initial_state(1))
    return jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), carry, initial)
