"""What a run of a listener is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lstm_jax.train.config import Bound, at_least
from lstm_jax.train.data.audio import LONGEST, RATE, SHORTEST, Mel
from lstm_jax.train.tasks.classify.config import ClassifierConfig, or_open

OPEN = ("rate", "batch", "epochs", "model.hidden_features", "model.num_layers")
LOWEST_RATE, HIGHEST_RATE = 2_000, 48_000


@dataclass(frozen=True)
class SoundsConfig(ClassifierConfig):
    """A training run of a listener that says of what class a recording is."""

    data: Literal["speech", "own"] = "speech"
    """Spoken digits (FSDD), or recordings of your own."""
    folder: str = ""
    """Your recordings: a folder that holds a folder for each class; or"""
    file: str = ""
    """a table of them, a CSV, TSV, JSONL or Parquet file with a row for each recording."""
    path: str = ""
    """The table's column with the files of the recordings, relative to the table's own folder."""
    label: str = ""
    """The table's column with the classes."""
    group: str = ""
    """The table's column whose equal values are kept in one split: a speaker, a microphone, a
    day."""
    group_pattern: str = ""
    """Instead of such a column, a regular expression whose first group finds the speaker in the
    name of a file: _(\\w+)_ in 7_theo_12.wav."""
    encoding: str = ""
    """Of the table; UTF-8 if not given."""
    rate: int = RATE
    """Samples a second that recordings are converted to; chosen if 0."""
    longest: float | None = LONGEST
    """Seconds; longer recordings are cut there. Chosen if not given."""
    window: int = 32
    """Milliseconds that each step of the features looks at."""
    step: int = 20
    """Milliseconds between steps of the features."""
    bands: int = 40
    """Bands of frequency of the features, spaced as the ear hears them (mel)."""
    valid: float | None = None
    """The share of the recordings to validate on; chosen if not given."""
    test: float | None = None
    """The share of the recordings to test on; chosen if not given."""
    class_weights: Literal["none", "balanced"] | None = None
    """Whether each class counts as much as any other in the loss; chosen if not given."""
    batch: int = 32
    """Recordings of a training step."""
    masks: int = 0
    """Bands of frequency and stretches of time to hide from each training recording, so many of
    each (SpecAugment, Park et al. 2019)."""
    left_out: str | None = None
    """Of the spoken digits, a speaker that is neither trained nor validated on, whose every
    recording is the test."""

    @property
    def mel(self) -> Mel:
        """How features are computed."""
        return Mel(self.rate, self.window, self.step, self.bands)

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        every = self._every_bound()
        yield from or_open(every, *OPEN) if self.data == "own" else every

    def _every_bound(self) -> Iterator[Bound]:
        yield from super().bounds()
        yield from at_least(1, self, "batch")
        yield from at_least(0, self, "masks")
        rate = self.rate
        good = rate == RATE if self.data == "speech" else LOWEST_RATE <= rate <= HIGHEST_RATE
        among = f"{RATE} for spoken digits" if self.data == "speech" else "in [2000, 48000]"
        yield "rate", rate, good, among
        yield "longest", self.longest, _within(self.longest, SHORTEST, 60), "in [0.05, 60]"
        yield "window", self.window, 4 <= self.window <= 50, "in [4, 50]"
        yield "step", self.step, 1 <= self.step <= 50, "in [1, 50]"
        yield "bands", self.bands, 8 <= self.bands <= 128, "in [8, 128]"
        for name in ("valid", "test"):
            share = getattr(self, name)
            yield name, share, _within(share, 0.0, 0.5), "in [0, 0.5]"
        pattern = self.group_pattern
        expected = "a regular expression with a group in brackets"
        yield "group_pattern", pattern, not pattern or _has_group(pattern), expected


def _within(value: float | None, least: float, most: float) -> bool:
    return value is None or least <= value <= most


def _has_group(pattern: str) -> bool:
    try:
        return re.compile(pattern).groups > 0
    except (re.error, OverflowError, RecursionError):
        return False
