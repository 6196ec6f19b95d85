"""The input of a report, supplied by the code that knows the data of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax import Array


class Texts(NamedTuple):
    """Store texts for a language model.

    Attributes:
        texts: strings, or sequences of words; each is read from the empty state.
        source: a sentence on where they come from.
    """

    texts: Sequence[str]
    source: str


class Rows(NamedTuple):
    """Store sequences for a model with one loss for each, such as a forecaster or a classifier.

    Attributes:
        inputs: B sequences of T steps, as the model takes them: ids (B, T) or vectors (B, T, D).
        targets: of each sequence, (B, ...).
        outputs: `(network, inputs) -> (B, ...)`, the model's outputs without a key.
        loss: `(outputs, targets) -> (B,)`, differentiable.
        unit: of the loss, such as "nats" or "squared error".
        kind: the name of a sequence, in the singular, such as "window" or "sentence".
        source: a sentence on where they come from.
        notes: on how they were made.
        symbols: the symbol at each step, if it can be shown as text: B lists of T strings.
        least: the smallest number of steps that the model reads.
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
    """Choose the longest sequences, to be read side by side.

    Args:
        lengths: of all sequences.
        count: maximum number of sequences.
        steps: maximum number of steps.

    Returns:
        `(indices, steps)`: the indices of the longest sequences, ascending, and the number of steps
        that all of them have, limited to `steps`.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")[:count]
    return sorted(order.tolist()), min(steps, *(lengths[i] for i in order.tolist()))
