"""How many sequences a classifier gets right, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import jax
import numpy as np
from flax import nnx
from jax import Array

from lstm_jax.models.classifier import SequenceClassifier
from lstm_jax.padding import pad
from lstm_jax.train.tasks.classify.examples import Examples, widths_of

AT_ONCE = 64  # sequences of a batch

Reader: TypeAlias = Callable[[nnx.State, np.ndarray, np.ndarray], Array]
"""`read(params, inputs, lengths) -> ln p (B, C)`."""


def make_reader(model: SequenceClassifier) -> Reader:
    """Make a `Reader`, jitted, without dropout.

    Args:
        model: whose structure the parameters have.
    """
    graph = nnx.graphdef(model)

    @jax.jit
    def read(params: nnx.State, inputs: Array, lengths: Array) -> Array:
        return jax.nn.log_softmax(nnx.merge(graph, params)(inputs, lengths))

    return read


def log_probabilities(read: Reader, params: nnx.State, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Read sequences, in batches of nearly one length.

    Args:
        read: what `make_reader` gives.
        params: of the model.
        inputs: N sequences, ids (T,) or vectors (T, D); T may differ.

    Returns:
        ln p of every class, float32 (N, C), in the order of the sequences.
    """
    lengths = np.array([len(sequence) for sequence in inputs])
    widths = widths_of(max(int(lengths.max()), 1))
    bucket, found = np.searchsorted(widths, lengths), {}
    for index, width in enumerate(widths):
        members = np.flatnonzero(bucket == index)
        for start in range(0, len(members), AT_ONCE):
            part = members[start : start + AT_ONCE]
            filled = np.resize(part, AT_ONCE)  # one shape for each width
            batch, counts = pad([inputs[i] for i in filled.tolist()], to=width)
            rows = np.asarray(read(params, batch, counts))
            found |= dict(zip(part.tolist(), rows, strict=False))
    return np.stack([found[i] for i in range(len(inputs))])


@dataclass(frozen=True)
class Judgement:
    """Of so many `sequences`, how many are judged `wrong`, and the mean `nats` of the truth."""

    sequences: int
    wrong: int
    nats: float

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return 1 - self.wrong / self.sequences

    def say(self, unit: str) -> str:
        """Put it in words; `unit` is what a sequence is, in the plural."""
        return (
            f"accuracy {100 * self.accuracy:.2f}% ({self.wrong:,} of {self.sequences:,} {unit} "
            f"wrong, {self.nats:.3f} nats each)"
        )


def judge(read: Reader, params: nnx.State, examples: Examples) -> Judgement:
    """Hold what a model says of examples, its most probable class, against the truth.

    Args:
        read: what `make_reader` gives.
        params: of the model.
        examples: N of them.
    """
    found = log_probabilities(read, params, examples.inputs)
    wrong = int((found.argmax(-1) != examples.targets.argmax(-1)).sum())
    # Selected before they are multiplied: what is impossible, -inf, is asked of no truth of 0.
    asked = np.where(examples.targets > 0, found, 0) * examples.targets
    return Judgement(len(found), wrong, float(-asked.sum(-1, dtype=np.float64).mean()))
