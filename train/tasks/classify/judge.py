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
from lstm_jax.models.storage import Stored
from lstm_jax.padding import pad
from lstm_jax.train.tasks.classify.calibration import tempered
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


def judged(stored: Stored, inputs: Sequence[np.ndarray], read: Reader | None = None) -> np.ndarray:
    """Read sequences with a stored model, its temperature applied.

    Args:
        stored: the model.
        inputs: N sequences, as in `log_probabilities`.
        read: what `make_reader` gives of its network; made here if None.

    Returns:
        ln p of every class, (N, C).
    """
    read = read or make_reader(stored.network)
    found = log_probabilities(read, nnx.state(stored.network, nnx.Param), inputs)
    return tempered(found, stored.card.get("temperature", 1.0))


def after_each(stored: Stored, sequence: np.ndarray) -> np.ndarray:
    """Ask for the classes after each step of a sequence.

    A bidirectional model reads what there is so far from both ends, so each row is a reading of
    its own: one batch of all beginnings.

    Args:
        stored: the model.
        sequence: ids (T,), or vectors (T, D).

    Returns:
        Probabilities, (T, C).
    """
    beginnings = [sequence[: step + 1] for step in range(len(sequence))]
    inputs, lengths = pad(beginnings, to=widths_of(len(sequence))[-1])
    read = make_reader(stored.network)
    found = np.asarray(read(nnx.state(stored.network, nnx.Param), inputs, lengths))
    return np.exp(tempered(found, stored.card.get("temperature", 1.0)))


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
    return hold(log_probabilities(read, params, examples.inputs), examples.targets)


def hold(found: np.ndarray, targets: np.ndarray) -> Judgement:
    """Hold ln p of every class, (N, C), against the truth.

    Args:
        found: ln p.
        targets: (N, C), each row with a sum of 1.
    """
    wrong = int((found.argmax(-1) != targets.argmax(-1)).sum())
    # Selected before they are multiplied: what is impossible, -inf, is asked of no truth of 0.
    asked = np.where(targets > 0, found, 0) * targets
    return Judgement(len(found), wrong, float(-asked.sum(-1, dtype=np.float64).mean()))
