"""What the training loop knows of what is learned, and nothing more of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flax import nnx
from jax import Array

Loss = Callable[[Any, Any, Any, Array | None], tuple[Array, Array, Any]]
"""`loss(model, carry, batch, key) -> (total, count, carry)`; the gradient is of total / count."""


class Validation(NamedTuple):
    """What parameters are worth on held-out data.

    `loss`: the least is the best. `figures`: more for metrics.jsonl and the model's card. `said`:
    one line for a person. `solved`: there is nothing left to learn, and the run ends.
    """

    loss: float
    figures: dict[str, float]
    said: str
    solved: bool = False


class Task(Protocol):
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
    def facts(self) -> dict[str, Any]: ...

    @property
    def identity(self) -> dict[str, str]: ...

    def model(self, rngs: nnx.Rngs) -> Any:
        """A new model."""
        ...

    def carry(self, model: Any) -> Any:
        """The state before the first batch, carried from batch to batch; () carries none."""
        ...

    def epoch(self, number: int) -> Sequence[Any]:
        """The batches of an epoch, as many in each, of one shape or a few.

        A pure function of the seed and `number`.
        """
        ...

    def loss(
        self, model: Any, carry: Any, batch: Any, key: Array | None
    ) -> tuple[Array, Array, Any]:
        """`Loss`, above; a key turns dropout on."""
        ...

    def figures(self, loss: float) -> dict[str, float]:
        """What else to log of a mean training loss."""
        ...

    def validator(self, model: Any) -> Callable[[Any, int], Validation]:
        """`validate(params, step)`, compiled once, for parameters after `step` updates."""
        ...

    def save(self, model: Any, folder: Path, card: dict[str, Any]) -> None:
        """Write `model.safetensors` and `model.json`."""
        ...
