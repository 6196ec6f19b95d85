"""The interface between the training loop and what is learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.trees import Tree, widened

M = TypeVar("M", bound=nnx.Module)

Loss: TypeAlias = Callable[[M, Tree, Batch[Array], Array | None], tuple[Array, Array, Tree]]
"""`loss(model, carry, batch, key) -> (total, count, carry)`; the gradient is of total / count."""


class Validation(NamedTuple):
    """Store the result of a validation.

    Attributes:
        loss: the loss; lower is better.
        figures: further figures for metrics.jsonl and the model's card.
        said: a line to print.
        solved: whether there is nothing left to learn, so that the run ends.
    """

    loss: float
    figures: Mapping[str, float]
    said: str
    solved: bool = False


Validate: TypeAlias = Callable[[nnx.State, int], Validation]
"""`validate(params, step)` evaluates the parameters after `step` updates."""


class Task(Protocol[M]):
    """Define something to learn: its data, model, loss and validation.

    Attributes:
        description: a few words about the data.
        unit: what the loss's `count` counts, in the plural.
        facts: facts about the data, for the model's card.
        identity: digests, by name, of everything that must be unchanged when a run is resumed.
    """

    @property
    def description(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, object]: ...

    @property
    def identity(self) -> Mapping[str, str]: ...

    def model(self, rngs: nnx.Rngs) -> M:
        """Build a new model that contains exactly one `Recurrent`."""
        ...

    def initial_state(self, model: M, rows: int) -> Tree:
        """Return the state of the model's recurrent layers before they read `rows` sequences.

        The state is a tuple over layers with leaves (B, H); B exceeds `rows` if the model reads
        each sequence more than once. `lstm_jax.train.run.health` differentiates the loss with
        respect to it.
        """
        ...

    def carry(self, model: M) -> Tree:
        """Return the state that is carried from batch to batch, before the first batch.

        () if no state is carried.
        """
        ...

    def epoch(self, number: int) -> Epoch:
        """Return the batches of an epoch, as a pure function of the seed and `number`.

        Every epoch has the same number of batches, and the batches have one shape or a few.
        """
        ...

    def loss(
        self, model: M, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        """Compute the loss of a batch, see `Loss`; a key turns dropout on."""
        ...

    def figures(self, loss: float) -> Mapping[str, float]:
        """Compute further figures to log from a mean training loss."""
        ...

    def validator(self, model: M) -> Validate:
        """Build `validate`, which is compiled once."""
        ...

    def save(self, model: M, folder: Path, card: dict[str, object]) -> None:
        """Write `model.safetensors` and `model.json`."""
        ...


def summed(losses: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Add up the losses of a batch.

    Args:
        losses: (B,), one for each row, or (B, T).
        weights: weights of the same shape; None means 1 everywhere.

    Returns:
        `(total, count)`, the weighted sum of the losses and the sum of the weights, as scalars in
        at least float32. A loss of weight 0 is ignored, even if it is NaN.
    """
    losses = widened(losses)
    if weights is None:
        return losses.sum(), jnp.float32(losses.size)
    weights = widened(weights)
    # Select before multiplying, because a loss of weight 0 may be infinite or NaN.
    return (weights * jnp.where(weights == 0, 0, losses)).sum(), weights.sum()
