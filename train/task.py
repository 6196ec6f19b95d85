"""What the training loop knows of what is learned, and nothing more of it."""

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
    """What parameters are worth on held-out data.

    `loss`: the least is the best. `figures`: more for metrics.jsonl and the model's card. `said`:
    one line for a person. `solved`: there is nothing left to learn, and the run ends.
    """

    loss: float
    figures: Mapping[str, float]
    said: str
    solved: bool = False


Validate: TypeAlias = Callable[[nnx.State, int], Validation]
"""`validate(params, step)`, of parameters after `step` updates."""


class Task(Protocol[M]):
    """Data, model, loss and verdict: one kind of thing to learn.

    Attributes:
        description: of the data, a few words.
        unit: what the loss's `count` counts, in the plural.
        facts: of the data, for the model's card.
        identity: name -> digest of what a resumed run must find unchanged.
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
        """Make a new model, with one `Recurrent` in it."""
        ...

    def initial_state(self, model: M, rows: int) -> Tree:
        """Give the state of the model's recurrent layers before they read `rows` sequences.

        A tuple over layers, leaves (B, H); B is more than `rows` where the model reads each
        sequence more than once. `lstm_jax.train.run.health` asks how the loss hangs on it.
        """
        ...

    def carry(self, model: M) -> Tree:
        """Give the state before the first batch, carried from batch to batch; () carries none."""
        ...

    def epoch(self, number: int) -> Epoch:
        """Give the batches of an epoch, as many in each, of one shape or a few.

        A pure function of the seed and `number`.
        """
        ...

    def loss(
        self, model: M, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        """Judge a batch, as `Loss` says; a key turns dropout on."""
        ...

    def figures(self, loss: float) -> Mapping[str, float]:
        """Say what else to log of a mean training loss."""
        ...

    def validator(self, model: M) -> Validate:
        """Make `validate`, compiled once."""
        ...

    def save(self, model: M, folder: Path, card: dict[str, object]) -> None:
        """Write `model.safetensors` and `model.json`."""
        ...


def summed(losses: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Add up the losses of a batch.

    Args:
        losses: (B,), one for each row, or (B, T).
        weights: of the same shape, all 1 if None.

    Returns:
        `(total, count)`, scalars, float32 at least: the weighted sum, where a loss of weight 0
        counts for nothing even if it is NaN, and the sum of the weights.
    """
    losses = widened(losses)
    if weights is None:
        return losses.sum(), jnp.float32(losses.size)
    weights = widened(weights)
    # Selected before they are multiplied: what does not count may be infinite, or no number.
    return (weights * jnp.where(weights == 0, 0, losses)).sum(), weights.sum()
