"""Predictions of a classifier, and their accuracy and nats."""

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

AT_ONCE = 64  # sequences in a batch

Reader: TypeAlias = Callable[[nnx.State, np.ndarray, np.ndarray], Array]
"""`read(params, inputs, lengths) -> ln p (B, C)`."""


def make_reader(model: SequenceClassifier) -> Reader:
    """Build a jitted `Reader` without dropout.

    Args:
        model: a model with the structure of the parameters.
    """
    graph = nnx.graphdef(model)

    @jax.jit
    def read(params: nnx.State, inputs: Array, lengths: Array) -> Array:
        return jax.nn.log_softmax(nnx.merge(graph, params)(inputs, lengths))

    return read


def log_probabilities(read: Reader, params: nnx.State, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Compute the log probabilities of classes, in batches of similar lengths.

    Args:
        read: the result of `make_reader`.
        params: parameters of the model.
        inputs: N sequences of ids (T,) or vectors (T, D), where T may differ.

    Returns:
        ln p of every class, float32 (N, C), in the order of the sequences.
    """
    lengths = np.array([len(sequence) for sequence in inputs])
    widths = widths_of(max(int(lengths.max()), 1))
    bucket, results = np.searchsorted(widths, lengths), {}
    for index, width in enumerate(widths):
        members = np.flatnonzero(bucket == index)
        for start in range(0, len(members), AT_ONCE):
            part = members[start : start + AT_ONCE]
            filled = np.resize(part, AT_ONCE)  # one shape for each width
            batch, counts = pad([inputs[i] for i in filled.tolist()], to=width)
            rows = np.asarray(read(params, batch, counts))
            results |= dict(zip(part.tolist(), rows, strict=False))
    return np.stack([results[i] for i in range(len(inputs))])


def judged(stored: Stored, inputs: Sequence[np.ndarray], read: Reader | None = None) -> np.ndarray:
    """Compute the log probabilities of classes by a stored model, with its temperature.

    Args:
        stored: the model.
        inputs: N sequences, as in `log_probabilities`.
        read: the result of `make_reader` for its network; built here if None.

    Returns:
        ln p of every class, (N, C).
    """
    read = read or make_reader(stored.network)
    logs = log_probabilities(read, nnx.state(stored.network, nnx.Param), inputs)
    return tempered(logs, stored.card.get("temperature", 1.0))


def after_each(stored: Stored, sequence: np.ndarray) -> np.ndarray:
    """Compute the probabilities of classes after each step of a sequence.

    A bidirectional model reads each beginning of the sequence from both ends, so all beginnings are
    read as one batch.

    Args:
        stored: the model.
        sequence: ids (T,), or vectors (T, D).

    Returns:
        Probabilities, (T, C).
    """
    beginnings = [sequence[: step + 1] for step in range(len(sequence))]
    inputs, lengths = pad(beginnings, to=widths_of(len(sequence))[-1])
    read = make_reader(stored.network)
    logs = np.asarray(read(nnx.state(stored.network, nnx.Param), inputs, lengths))
    return np.exp(tempered(logs, stored.card.get("temperature", 1.0)))


@dataclass(frozen=True)
class Judgment:
    """Store the number of `sequences`, how many are `wrong`, and the mean `nats` of the truth."""

    sequences: int
    wrong: int
    nats: float

    @property
    def accuracy(self) -> float:
        """Return the share of sequences that are right."""
        return 1 - self.wrong / self.sequences

    def say(self, unit: str) -> str:
        """Format the result; `unit` is the name of a sequence, in the plural."""
        return (
            f"accuracy {100 * self.accuracy:.2f}% ({self.wrong:,} of {self.sequences:,} {unit} "
            f"wrong, {self.nats:.3f} nats each)"
        )


def judge(read: Reader, params: nnx.State, examples: Examples) -> Judgment:
    """Compare the most probable classes of examples with the truth.

    Args:
        read: the result of `make_reader`.
        params: parameters of the model.
        examples: N examples.
    """
    return hold(log_probabilities(read, params, examples.inputs), examples.targets)


def hold(logs: np.ndarray, targets: np.ndarray) -> Judgment:
    """Compare log probabilities with the truth.

    Args:
        logs: ln p of every class, (N, C).
        targets: (N, C), with rows that sum to 1.
    """
    wrong = int((logs.argmax(-1) != targets.argmax(-1)).sum())
    # Selected before the product, because -inf of an impossible class times 0 would be NaN.
    terms = np.where(targets > 0, logs, 0) * targets
    return Judgment(len(logs), wrong, float(-terms.sum(-1, dtype=np.float64).mean()))
