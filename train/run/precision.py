"""The precision that a loss is computed in, between parameters and sums that are always float32."""

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
    """Compute a loss in a precision.

    In bfloat16 the parameters are rounded where the loss reads them, and h goes from step to step
    in bfloat16. What sums many small terms stays float32: the cell state c, softmaxes, the loss and
    its count. The loss takes float32 parameters and a float32 carry and gives such a carry back, so
    its gradients are float32 too.

    Args:
        loss: of a task.
        precision: float32 gives back the loss itself.

    Returns:
        A loss of the same models and batches.
    """
    if precision == "float32":
        return loss

    def rounded(
        model: M, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        graph, params = nnx.split(model)
        model = nnx.merge(graph, jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params))
        _, recurrent = recurrent_of(model)
        # The layers round what they read. A batch is not rounded as a whole: some inputs are codes
        # of categories, and bfloat16 holds no odd number above 256.
        recurrent.dtype = jnp.bfloat16
        total, count, new = loss(model, _as_layers_have_it(recurrent, carry), batch, key)
        return total, count, jax.tree.map(lambda leaf, old: leaf.astype(old.dtype), new, carry)

    return rounded


def recurrent_of(model: nnx.Module) -> tuple[str, Recurrent]:
    """Find the one `Recurrent` of a model, and the name that the model has for it.

    Args:
        model: of a task.
    """
    [found] = [(name, part) for name, part in vars(model).items() if isinstance(part, Recurrent)]
    return found


def _as_layers_have_it(recurrent: Recurrent, carry: Tree) -> Tree:
    """Cast a carry to the dtypes of the layers' own states; () stays what it is."""
    if not jax.tree.leaves(carry):
        return carry
    begun = jax.eval_shape(lambda: recurrent.initial_state(1))
    return jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), carry, begun)
