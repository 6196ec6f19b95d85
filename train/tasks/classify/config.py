"""What a run of a classifier of sequences is made of, whatever it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least


@dataclass(frozen=True)
class ClassifierConfig(TrainConfig):
    """A training run of a model that reads a whole sequence and says of what class it is."""

    model: SequenceClassifierConfig = field(default_factory=SequenceClassifierConfig)
    validations: int = 1
    """Validations in a pass over the training data: an epoch is one part in so many of it."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(1, self, "validations")
        sizes = ("embedding_features", "hidden_features", "num_layers")
        yield from at_least(1, self.model, *sizes, prefix="model.")
        rates = ("word_dropout", "input_dropout", "layer_dropout", "output_dropout")
        yield from a_rate(self.model, *rates, prefix="model.")


def or_open(bounds: Iterable[Bound], *names: str) -> Iterator[Bound]:
    """Let some fields be 0, which leaves them to be chosen when the data are looked at.

    Args:
        bounds: of a configuration for a user's own data.
        *names: of the fields, as a user writes them.
    """
    for name, value, good, expected in bounds:
        may_be_open = name in names
        expected = f"{expected}, or 0 to have it chosen" if may_be_open else expected
        yield name, value, good or (may_be_open and value == 0), expected


OPEN = ("epochs", "validations", "words", "min_count", "longest")
OPEN_SIZES = ("model.embedding_features", "model.hidden_features", "model.num_layers")


@dataclass(frozen=True)
class ClassifyConfig(ClassifierConfig):
    """A training run of a classifier of texts, or of sequences of numbers."""

    data: Literal["sentiment", "own"] = "sentiment"
    """Film reviews (SST-2), or a file of your own."""
    file: str = ""
    """Your table, a CSV, TSV, JSONL or Parquet file; or a .ts file of the UEA archive."""
    valid_file: str = ""
    """What to validate on; part of FILE if not given."""
    test_file: str = ""
    """What to test on; part of FILE if not given."""
    encoding: str = ""
    """Of the files; UTF-8 if not given."""
    label: str = ""
    """The column with the classes."""
    text: str = ""
    """The column with texts to classify; or"""
    tokens: str = ""
    """the column with tokens, taken as they are, blanks between them; or, for sequences of
    numbers,"""
    by: str = ""
    """the column that says which sequence a row is a step of."""
    time: str = ""
    """The column by which the steps of a sequence are put in order; as they stand if not given."""
    inputs: tuple[str, ...] = ()
    """The columns to read of each step; all others that hold numbers if not given."""
    group: str = ""
    """A column whose equal values are kept in one split: a writer, a patient, a day."""
    unit: Literal["word", "character"] | None = None
    """What a text is split into; chosen by its script if not given."""
    min_count: int = 1
    """Words seen less often in training are read as unknown."""
    longest: int = 0
    """Longer sequences are cut there; chosen if 0."""
    class_weights: Literal["none", "balanced"] | None = None
    """Whether each class counts as much as any other in the loss; chosen if not given."""
    noise: float | None = None
    """Noise on sequences of numbers while training, in standard deviations; chosen if not given."""
    valid: float | None = None
    """The share of the rows to validate on; chosen if not given."""
    test: float | None = None
    """The share of the rows to test on; chosen if not given."""
    learn: Literal["sentences", "phrases", "neutral"] = "neutral"
    """Of film reviews: sentences alone, every phrase of theirs that is not neutral too, or the
    neutral ones as well, which may be either: half and half."""
    words: int = 1024
    """Words, or steps, of a training batch, padding included; at most 128 sequences."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        own = self._own_bounds()
        yield from or_open(own, *OPEN, *OPEN_SIZES) if self.data == "own" else own

    def _own_bounds(self) -> Iterator[Bound]:
        yield from super().bounds()
        yield from at_least(64, self, "words")
        yield from at_least(1, self, "min_count")
        yield from at_least(0, self, "longest")
        for name, most in {"noise": 1.0, "valid": 0.5, "test": 0.5}.items():
            value = getattr(self, name)
            yield name, value, value is None or 0 <= value <= most, f"in [0, {most:g}]"
