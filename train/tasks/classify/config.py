"""The configuration of a run that trains a classifier of sequences, whatever its inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least, left_alone


@dataclass(frozen=True)
class ClassifierConfig(TrainConfig):
    """Configure a training run of a classifier of whole sequences."""

    model: SequenceClassifierConfig = field(default_factory=SequenceClassifierConfig)
    validations: int = 1
    """Number of validations, and thus epochs, in a pass over the training data."""
    consistency: float = 0.0
    """Weight of the loss that makes predictions agree under different dropout (R-Drop). If it is
    not 0, each batch is read twice, and a step takes almost twice as long."""

    def bounds(self) -> Iterator[Bound]:
        """Yield the conditions on the fields."""
        yield from super().bounds()
        yield from at_least(1, self, "validations")
        weight = self.consistency
        yield "consistency", weight, 0 <= weight < math.inf, "at least 0 and finite"
        sizes = ("embedding_features", "hidden_features", "num_layers")
        yield from at_least(1, self.model, *sizes, prefix="model.")
        rates = ("word_dropout", "input_dropout", "layer_dropout", "output_dropout")
        yield from a_rate(self.model, *rates, prefix="model.")


def or_open(bounds: Iterable[Bound], *names: str) -> Iterator[Bound]:
    """Allow some fields to be 0, so that they are chosen from the data.

    Args:
        bounds: conditions of a configuration for a user's own data.
        *names: names of the fields, as a user writes them.
    """
    for name, value, good, expected in bounds:
        may_be_open = name in names
        expected = f"{expected}, or 0 to choose it from the data" if may_be_open else expected
        yield name, value, good or (may_be_open and value == 0), expected


OPEN = ("epochs", "validations", "words", "min_count", "longest")
OWN = (
    "file", "valid_file", "test_file", "encoding", "label", "text", "tokens", "by", "time",
    "inputs", "group", "unit", "min_count", "longest", "class_weights", "noise", "valid", "test",
)  # fmt: skip
"""Fields that apply only to data of your own."""
OPEN_SIZES = ("model.embedding_features", "model.hidden_features", "model.num_layers")


@dataclass(frozen=True)
class ClassifyConfig(ClassifierConfig):
    """Configure a training run of a classifier of texts, or of sequences of numbers."""

    data: Literal["sentiment", "own"] = "sentiment"
    """Data to learn: film reviews (SST-2), or a file of your own."""
    file: str = ""
    """Table with your data: a CSV, TSV, JSONL or Parquet file, or a .ts file of the UEA archive."""
    valid_file: str = ""
    """File to validate on; a part of FILE if not given."""
    test_file: str = ""
    """File to test on; a part of FILE if not given."""
    encoding: str = ""
    """Encoding of the files; UTF-8 if not given."""
    label: str = ""
    """Column with the classes."""
    text: str = ""
    """Column with texts to classify."""
    tokens: str = ""
    """Column with tokens separated by blanks, instead of texts."""
    by: str = ""
    """Column that identifies the sequence of a row, for sequences of numbers instead of texts."""
    time: str = ""
    """Column that orders the steps of a sequence; the order of the table if not given."""
    inputs: tuple[str, ...] = ()
    """Columns to read at each step; all other columns of numbers if not given."""
    group: str = ""
    """Column whose equal values stay in the same part: a writer, a patient, a day."""
    unit: Literal["word", "character"] | None = None
    """Unit into which texts are split; chosen by the script of the texts if not given."""
    min_count: int = 1
    """Minimum count of a word in training; rarer words are unknown."""
    longest: int = 0
    """Length at which longer sequences are cut; chosen if 0."""
    class_weights: Literal["none", "balanced"] | None = None
    """Weights of classes in the loss; balanced makes all classes equal; chosen if not given."""
    noise: float | None = None
    """Noise on sequences of numbers in training, in standard deviations; chosen if not given."""
    valid: float | None = None
    """Share of the rows for validation; chosen if not given."""
    test: float | None = None
    """Share of the rows for testing; chosen if not given."""
    grams: int = 0
    """Number of ids for the character n-grams of words, by whose spelling unknown words are read
    too; 0 does without."""
    learn: Literal["sentences", "phrases", "neutral", "grades"] = "neutral"
    """Film reviews to train on: sentences alone, with phrases, or with neutral phrases too, which
    count half as either class. With grades, each text counts as praise to the degree that its
    readers said."""
    words: int = 1024
    """Number of words, or steps, in a training batch, including padding; at most 128 sequences."""

    def bounds(self) -> Iterator[Bound]:
        """Yield the conditions on the fields."""
        bounds = self._own_bounds()
        yield from or_open(bounds, *OPEN, *OPEN_SIZES) if self.data == "own" else bounds

    def _own_bounds(self) -> Iterator[Bound]:
        yield from super().bounds()
        own = self.data == "own"
        yield from left_alone(self, *OWN, unless="--data is own", allowed=own)
        yield from left_alone(self, "learn", unless="--data is sentiment", allowed=not own)
        yield from at_least(64, self, "words")
        yield from at_least(1, self, "min_count")
        yield from at_least(0, self, "longest", "grams")
        for name, maximum in {"noise": 1.0, "valid": 0.5, "test": 0.5}.items():
            value = getattr(self, name)
            yield name, value, value is None or 0 <= value <= maximum, f"in [0, {maximum:g}]"
