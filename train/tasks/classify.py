"""Sequences to classify: batches of nearly one length, cross-entropy, and the share that is right.

What is read, words or sound, is the business of sentiment_tasks.py and speech_tasks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx
from jax import Array

from lstm_jax.models import storage as model_files
from lstm_jax.models.classifier import SequenceClassifier
from lstm_jax.padding import pad
from lstm_jax.train.config import ClassifierConfig
from lstm_jax.train.task import Validation

AT_ONCE = 64  # sequences of a verdict's batch

Augment = Callable[[np.random.Generator, np.ndarray], np.ndarray]


class Batch(NamedTuple):
    """`inputs` ids (B, T) or vectors (B, T, D), `lengths` (B,), `targets` (B, C) that sum to 1,
    `weights` (B,): 0 for a row that only fills the batch. NumPy arrays, and JAX's in the update.
    """

    inputs: Any
    lengths: Any
    targets: Any
    weights: Any


class Examples(NamedTuple):
    """`inputs`, N arrays of ids (T,) or vectors (T, D), and `targets` (N, C), float32."""

    inputs: Sequence[np.ndarray]
    targets: np.ndarray


def widths_of(longest: int, *, halfway: bool = False) -> tuple[int, ...]:
    """Widths that batches are padded to, up to the first that holds the longest sequence.

    Few shapes are compiled: powers of two from 4 on, and `halfway` those between them, 6, 12, 24.
    """
    widths = [4]
    while widths[-1] < longest:
        power = 1 << (widths[-1].bit_length() - 1)
        widths.append(widths[-1] + (power // 2 if halfway else power))
    return tuple(widths)


def plan(
    lengths: np.ndarray,
    widths: Sequence[int],
    rows_of: Callable[[int], int],
    rng: np.random.Generator,
) -> list[tuple[int, int, np.ndarray]]:
    """One pass over sequences as `(width, rows, indices)` of batches, in a random order.

    Each width has its own batches, so their number is the same for every order.
    """
    bucket = np.searchsorted(widths, lengths)
    batches = []
    for index, width in enumerate(widths):
        rows, members = rows_of(width), rng.permutation(np.flatnonzero(bucket == index))
        parts = (members[i : i + rows] for i in range(0, len(members), rows))
        batches += [(width, rows, part) for part in parts]
    return [batches[i] for i in rng.permutation(len(batches))]


def collate(
    examples: Examples,
    indices: np.ndarray,
    width: int,
    rows: int,
    augment: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Batch:
    """The batch of some examples, filled up to `rows` with ones of no weight.

    Args:
        examples: N of them.
        indices: which.
        width: T.
        rows: B.
        augment: maps a sequence to the one to read instead, no longer.
    """
    chosen = [examples.inputs[i] for i in indices]
    chosen = chosen if augment is None else [augment(sequence) for sequence in chosen]
    missing = rows - len(indices)
    inputs, lengths = pad([*chosen, *[chosen[0][:1]] * missing], to=width)
    targets = examples.targets[np.concatenate([indices, np.repeat(indices[:1], missing)])]
    weights = (np.arange(rows) < len(indices)).astype(np.float32)
    return Batch(inputs, lengths, targets, weights)


@dataclass(frozen=True)
class Epoch(Sequence[Batch]):
    """The batches of `plan`, made as they are asked for; what is random hangs on `seed` alone."""

    examples: Examples
    batches: list[tuple[int, int, np.ndarray]]
    seed: tuple[int, ...]
    augment: Augment | None = None

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        augment = self.augment
        if augment is not None:
            augment = partial(augment, np.random.default_rng([*self.seed, index]))
        width, rows, indices = self.batches[index]
        return collate(self.examples, indices, width, rows, augment)


Reader = Callable[[Any, np.ndarray, np.ndarray], Array]


def make_reader(model: SequenceClassifier) -> Reader:
    """`read(params, inputs, lengths) -> ln p (B, C)`, jitted, without dropout."""
    graph = nnx.graphdef(model)

    @jax.jit
    def read(params, inputs, lengths):
        return jax.nn.log_softmax(nnx.merge(graph, params)(inputs, lengths))

    return read


def log_probabilities(read: Reader, params: Any, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """ln p of every class for every sequence, float32 (N, C), in the order of the sequences."""
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


class Score(NamedTuple):
    """Of `count` sequences, how many are judged `wrong`, and the mean `nats` of the truth."""

    count: int
    wrong: int
    nats: float

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return 1 - self.wrong / self.count


def score(read: Reader, params: Any, examples: Examples) -> Score:
    """What a model says of some examples, against their most probable class."""
    found = log_probabilities(read, params, examples.inputs)
    wrong = int((found.argmax(-1) != examples.targets.argmax(-1)).sum())
    return Score(len(found), wrong, float(-(found * examples.targets).sum(-1).mean()))


def say(found: Score, unit: str) -> str:
    """A score in words."""
    return (
        f"accuracy {100 * found.accuracy:.2f}% ({found.wrong:,} of {found.count:,} {unit} wrong, "
        f"{found.nats:.3f} nats each)"
    )


@dataclass(frozen=True)
class ClassifierTask:
    """Examples, and the model that is to tell their classes apart; a `Task`.

    `reads` is `vocabulary_size` or `in_features`, for the model; `own` is what its files hold
    besides, such as the names of the classes; `rows_of` gives the rows of a batch of some width,
    and `halfway` is as in `widths_of`.
    """

    config: ClassifierConfig
    description: str
    unit: str
    facts: dict[str, Any]
    identity: dict[str, str]
    train: Examples
    valid: Examples
    reads: dict[str, int]
    own: dict[str, Any]
    rows_of: Callable[[int], int]
    halfway: bool = False
    augment: Augment | None = None
    lengths: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        lengths = np.array([len(sequence) for sequence in self.train.inputs])
        object.__setattr__(self, "lengths", lengths)

    def model(self, rngs: nnx.Rngs) -> SequenceClassifier:
        classes = self.train.targets.shape[1]
        return SequenceClassifier(classes, self.config.model, **self.reads, rngs=rngs)

    def carry(self, model: SequenceClassifier) -> Any:
        return ()

    def epoch(self, number: int) -> Epoch:
        # A pass is cut into parts of one size; the few batches that remain wait for another pass.
        parts = self.config.validations
        turn, part = divmod(number, parts)
        rng = np.random.default_rng([self.config.seed, turn])
        widths = widths_of(int(self.lengths.max()), halfway=self.halfway)
        batches = plan(self.lengths, widths, self.rows_of, rng)
        size = max(len(batches) // parts, 1)
        start = part * size % len(batches)
        chosen = batches[start : start + size]
        return Epoch(self.train, chosen, (self.config.seed, number), self.augment)

    def loss(
        self, model: SequenceClassifier, carry: Any, batch: Batch, key: Array | None
    ) -> tuple[Array, Array, Any]:
        logits = model(batch.inputs, batch.lengths, key=key)
        losses = optax.softmax_cross_entropy(logits, batch.targets)
        return (batch.weights * losses).sum(), batch.weights.sum(), carry

    def figures(self, loss: float) -> dict[str, float]:
        return {}

    def validator(self, model: SequenceClassifier) -> Callable[[nnx.State, int], Validation]:
        read = make_reader(model)

        def validate(params: nnx.State, step: int) -> Validation:
            del step
            found = score(read, params, self.valid)
            figures = {"valid_accuracy": found.accuracy, "valid_nats": found.nats}
            # What is asked for is a right answer: the model that is kept errs the least.
            wrong = found.wrong / found.count if np.isfinite(found.nats) else np.nan
            return Validation(wrong, figures, f"validation {say(found, self.unit)}")

        return validate

    def save(self, model: SequenceClassifier, folder: Path, card: dict[str, Any]) -> None:
        model_files.save(folder, model, card, self.own)
