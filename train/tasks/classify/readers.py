"""Conversion of a text or a sequence of numbers to the inputs of a classifier, saved with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lstm_jax.models import bags
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.data.examples import words
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.data.sentiment import words_of
from lstm_jax.train.tasks.classify.task import Reads

Split = Literal["word", "character", "token", "treebank"]


@dataclass(frozen=True)
class TextReader:
    """Split texts, and number their words.

    Attributes:
        split: unit into which texts are split.
        vocabulary: vocabulary of the training texts.
        longest: number of words after which a text is cut; 0 reads all words.
    """

    split: Split
    vocabulary: Vocabulary
    longest: int = 0

    def words(self, text: str) -> tuple[str, ...]:
        """Split a text into words, and cut it if it is long."""
        words_of_text = split_text(text, self.split)
        return words_of_text[: self.longest] if self.longest else words_of_text

    def __call__(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Encode texts as ids."""
        return [self.vocabulary.encode(self.words(text)) for text in texts]

    @property
    def reads(self) -> Reads:
        """Describe the inputs of a model with this reader."""
        return {"vocabulary_size": len(self.vocabulary)}

    def to_store(self) -> dict[str, object]:
        """Return the fields for the model's description."""
        return {**bags.stored(self.vocabulary), "split": self.split, "longest": self.longest}


@dataclass(frozen=True)
class SequenceReader:
    """Scale sequences, fill in missing values, and mark them.

    Attributes:
        columns: names of the D columns.
        scaler: scaler fitted to the training steps.
        marked: columns with missing values in training, each of which gets a further input that is
            1 where its value is missing.
        longest: number of steps after which a sequence is cut; 0 reads all steps.
    """

    columns: tuple[str, ...]
    scaler: Scaler
    marked: tuple[int, ...]
    longest: int = 0

    def __call__(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Convert sequences (T, D) to inputs, float32 (T, D + marks)."""
        cut = self.longest or None
        return [self._one(sequence[:cut]) for sequence in sequences]

    def _one(self, sequence: np.ndarray) -> np.ndarray:
        scaled = self.scaler(sequence)
        missing = np.isnan(scaled)
        if missing.any():
            # The last known value, or before the first known value the mean, which is 0.
            rows = np.where(missing, -1, np.arange(len(scaled))[:, None])
            last = np.maximum.accumulate(rows, 0)
            filled = np.take_along_axis(scaled, np.maximum(last, 0), 0)
            scaled = np.where(last < 0, 0, filled).astype(np.float32)
        marks = missing[:, list(self.marked)].astype(np.float32)
        return np.concatenate([scaled, marks], 1)

    @property
    def reads(self) -> Reads:
        """Describe the inputs of a model with this reader."""
        return {"in_features": len(self.columns) + len(self.marked)}

    def to_store(self) -> dict[str, object]:
        """Return the fields for the model's description."""
        return {
            **self.reads,
            "columns": list(self.columns),
            **self.scaler.to_dict(),
            "marked": list(self.marked),
            "longest": self.longest,
        }


Reader = TextReader | SequenceReader


def split_text(text: str, split: Split) -> tuple[str, ...]:
    """Split a text into words, characters, tokens, or words of the Stanford treebank."""
    if split == "treebank":
        return words_of(text)
    return words.tokens(text) if split == "token" else words.split(text, split)


def fit_sequences(
    columns: Sequence[str], train: Sequence[np.ndarray], longest: int
) -> SequenceReader:
    """Fit the scaling of each column to the training sequences.

    Args:
        columns: names of the D columns.
        train: N sequences (T, D), with NaN for missing values.
        longest: as in `SequenceReader`.
    """
    steps = np.concatenate([sequence[: longest or None] for sequence in train])
    known = ~np.isnan(steps)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, steps, 0).sum(0) / count
    scale = np.sqrt((np.where(known, steps - mean, 0) ** 2).sum(0) / count)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1), scale, 1.0)  # constant columns
    marked = tuple(np.flatnonzero(~known.all(0)).tolist())
    return SequenceReader(tuple(columns), Scaler(mean, scale), marked, longest)


def restored(description: Mapping[str, Any]) -> Reader:
    """Restore the reader from a model's description.

    Args:
        description: description of a classifier; older ones without "split" are of film reviews.
    """
    longest = description.get("longest", 0)
    if "vocabulary" in description:
        vocabulary = bags.restored(description)
        return TextReader(description.get("split", "treebank"), vocabulary, longest)
    scaler = Scaler.from_dict(description)
    columns, marked = tuple(description["columns"]), tuple(description["marked"])
    return SequenceReader(columns, scaler, marked, longest)
