"""What a run of a listener to spoken digits is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lstm_jax.train.config import Bound, at_least
from lstm_jax.train.tasks.classify.config import ClassifierConfig


@dataclass(frozen=True)
class SpeechConfig(ClassifierConfig):
    """A training run of a listener to spoken digits."""

    batch: int = 32
    """Recordings of a training step."""
    masks: int = 0
    """Bands of frequency and stretches of time to hide from each training recording, so many of
    each (SpecAugment, Park et al. 2019)."""
    left_out: str | None = None
    """A speaker that is neither trained nor validated on, whose every recording is the test."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(1, self, "batch")
        yield from at_least(0, self, "masks")
