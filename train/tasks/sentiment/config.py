"""What a run of a judge of sentences is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lstm_jax.train.config import Bound, at_least
from lstm_jax.train.tasks.classify.config import ClassifierConfig


@dataclass(frozen=True)
class SentimentConfig(ClassifierConfig):
    """A training run of a judge of sentences: do they like it or not?"""

    learn: Literal["sentences", "phrases", "neutral"] = "neutral"
    """Sentences alone, every phrase of theirs that is not neutral too, or the neutral ones as well,
    which may be either: half and half."""
    words: int = 1024
    """Words of a training step, padding included; at most 128 phrases."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(64, self, "words")
