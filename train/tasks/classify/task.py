"""The task of classifying sequences: cross-entropy, and accuracy in validation.

Whether the inputs are words, numbers or sound is up to the code that builds the task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from lstm_jax.models import storage
from lstm_jax.models.classifier import SequenceClassifier
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.task import Validate, Validation, summed
from lstm_jax.train.tasks.classify.calibration import fit_temperature, tempered
from lstm_jax.train.tasks.classify.config import ClassifierConfig
from lstm_jax.train.tasks.classify.examples import Examples, collate, plan, widths_of
from lstm_jax.train.tasks.classify.judge import hold, log_probabilities, make_reader
from lstm_jax.trees import Tree, widened

Augment: TypeAlias = Callable[[np.random.Generator, np.ndarray], np.ndarray]
"""`augment(rng, sequence)` returns a sequence to read instead, which is not longer."""


class Reads(TypedDict, total=False):
    """Describe the inputs of a classifier: ids below `vocabulary_size`, or `in_features`."""

    vocabulary_size: int
    in_features: int


@dataclass(frozen=True)
class ClassifierTask:
    """Train a classifier on examples; a `Task`.

    `reads` describes the inputs of the model; `own` are further facts for its files, such as the
    names of the classes; `rows_of` returns the rows of a batch of some width, and `halfway` is as
    in `widths_of`. If `calibrated`, each validation fits a temperature for the model's card; of
    models with equally many errors, the one with the best calibrated probabilities is kept.
    """

    config: ClassifierConfig
    description: str
    unit: str
    facts: Mapping[str, str]
    identity: Mapping[str, str]
    train: Examples
    valid: Examples
    reads: Reads
    own: Mapping[str, object]
    rows_of: Callable[[int], int]
    halfway: bool = False
    augment: Augment | None = None
    calibrated: bool = False
    lengths: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        lengths = np.array([len(sequence) for sequence in self.train.inputs])
        object.__setattr__(self, "lengths", lengths)

    def model(self, rngs: nnx.Rngs) -> SequenceClassifier:
        classes = self.train.targets.shape[1]
        return SequenceClassifier(classes, self.config.model, **self.reads, rngs=rngs)

    def initial_state(self, model: SequenceClassifier, rows: int) -> Tree:
        return model.lstm.initial_state(rows)

    def carry(self, model: SequenceClassifier) -> Tree:
        return ()

    def epoch(self, number: int) -> Epoch:
        # A pass is cut into parts of equal size; a few batches remain for later passes.
        config, parts = self.config, self.config.validations
        turn, part = divmod(number, parts)
        widths = widths_of(int(self.lengths.max()), halfway=self.halfway)
        rng = np.random.default_rng([config.seed, turn])
        batches = plan(self.lengths, widths, self.rows_of, rng)
        size = max(len(batches) // parts, 1)
        start = part * size % len(batches)

        def make(index: int) -> Batch[np.ndarray]:
            width, rows, indices = batches[start + index]
            augment = self.augment
            if augment is not None:
                augment = partial(augment, np.random.default_rng([config.seed, number, index]))
            return collate(self.train, indices, width, rows, augment)

        return Epoch(len(batches[start : start + size]), make)

    def loss(
        self, model: SequenceClassifier, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        twice = key is not None and self.config.consistency > 0
        rows = jax.tree.map(lambda each: jnp.concatenate([each, each]), batch) if twice else batch
        logits = widened(model(rows.inputs, rows.lengths, key=key))
        losses = optax.softmax_cross_entropy(logits, rows.targets)
        if twice:
            losses = losses.reshape(2, -1).mean(0) + self.config.consistency * disagreement(logits)
        return *summed(losses, batch.weights), carry

    def figures(self, loss: float) -> Mapping[str, float]:
        return {}

    def validator(self, model: SequenceClassifier) -> Validate:
        read = make_reader(model)

        def validate(params: nnx.State, step: int) -> Validation:
            del step
            logs = log_probabilities(read, params, self.valid.inputs)
            result = hold(logs, self.valid.targets)
            figures = {"valid_accuracy": result.accuracy, "valid_nats": result.nats}
            # The model with the fewest errors is kept, because a user asks for a right answer.
            wrong = result.wrong / result.sequences if np.isfinite(result.nats) else np.nan
            if self.calibrated and np.isfinite(result.nats):
                temperature = fit_temperature(logs, self.valid.targets.argmax(-1))
                nats = hold(tempered(logs, temperature), self.valid.targets).nats
                figures |= {"temperature": temperature, "valid_tempered_nats": nats}
                wrong += nats / (1 + nats) / result.sequences  # less than one more error
            return Validation(wrong, figures, f"validation {result.say(self.unit)}")

        return validate

    def save(self, model: SequenceClassifier, folder: Path, card: dict[str, object]) -> None:
        storage.save(folder, model, card, self.own)


def disagreement(logits: Array) -> Array:
    """Compute how much two predictions for each sequence differ.

    With p and q the probabilities of the two, it is (KL(p || q) + KL(q || p)) / 2, which R-Drop
    adds to the loss (Liang et al. 2021).

    Args:
        logits: (2 B, C); rows b and B + b are predictions for the same sequence.

    Returns:
        The mean of the two divergences in nats, (B,).
    """
    p, q = jax.nn.log_softmax(logits).reshape(2, -1, logits.shape[-1])
    return ((jnp.exp(p) - jnp.exp(q)) * (p - q)).sum(-1) / 2
