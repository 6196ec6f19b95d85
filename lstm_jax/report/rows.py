"""What a model is given to read for a report, by those who know its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax import Array


class Texts(NamedTuple):
    """Texts for a language model.

    Attributes:
        texts: strings, or sequences of words; each is read from the empty state.
        source: a sentence that says whence they are.
    """

    texts: Sequence[str]
    source: str


class Rows(NamedTuple):
    """Sequences for a model that judges each of them as a whole: a forecaster, a classifier, ...

    Attributes:
        inputs: B sequences of T steps each, as the model takes them: ids (B, T), or vectors
            (B, T, D).
        targets: what each is judged by, (B, ...).
        outputs: `(network, inputs) -> (B, ...)`, what the model says of them, without a key.
        loss: `(outputs, targets) -> (B,)`, differentiable.
        unit: of the loss: "nats", or such as "squared error".
        kind: what a sequence is, in the singular: "window", "sentence".
        source: a sentence that says whence they are.
        notes: on how they were made.
        symbols: what stands at each step, where that can be written: B lists of T strings.
        least: the fewest steps that the model reads.
    """

    inputs: np.ndarray
    targets: np.ndarray
    outputs: Callable[[Any, Array], Array]
    loss: Callable[[Array, Array], Array]
    unit: str
    kind: str
    source: str
    notes: Sequence[str] = ()
    symbols: list[list[str]] | None = None
    least: int = 1


def longest(lengths: Sequence[int], count: int, steps: int) -> tuple[list[int], int]:
    """Choose sequences that can be read side by side, as long as there are.

    Args:
        lengths: of those to choose from.
        count: how many are wanted, at most.
        steps: read of each, at most.

    Returns:
        `(which, steps)`: the places of the longest ones, ascending, and how many steps all of them
        have, or `steps` if they have more.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")[:count]
    return sorted(order.tolist()), min(steps, *(lengths[i] for i in order.tolist()))
