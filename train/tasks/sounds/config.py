"""The configuration of a run that trains a classifier of recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lstm_jax.train.config import Bound, at_least, left_alone
from lstm_jax.train.data.audio import LONGEST, RATE, SHORTEST, Mel
from lstm_jax.train.tasks.classify.config import ClassifierConfig, or_open

OPEN = ("rate", "batch", "epochs", "model.hidden_features", "model.num_layers")
OF_TABLES = ("path", "label", "group", "encoding")
"""Fields that apply only to a table of your own recordings."""
OWN = ("folder", "file", "group_pattern", "longest", "valid", "test")
"""Further fields that apply only to your own recordings."""
LOWEST_RATE, HIGHEST_RATE = 2_000, 48_000


@dataclass(frozen=True)
class SoundsConfig(ClassifierConfig):
    """Configure a training run of a classifier of recordings."""

    data: Literal["speech", "own"] = "speech"
    """Data to learn: spoken digits (FSDD), or recordings of your own."""
    folder: str = ""
    """Folder with your recordings, in one folder for each class."""
    file: str = ""
    """Table of your recordings, instead of a folder, with one row per recording.
    It is a CSV, TSV, JSONL or Parquet file."""
    path: str = ""
    """Column of the table with the files of the recordings, relative to the table's folder."""
    label: str = ""
    """Column of the table with the classes."""
    group: str = ""
    """Column whose equal values stay in the same part: a speaker, a microphone, a day."""
    group_pattern: str = ""
    """Regular expression whose first group is the group of a file, instead of a column.
    For example, _(\\w+)_ finds theo in 7_theo_12.wav."""
    encoding: str = ""
    """Encoding of the table; UTF-8 if not given."""
    rate: int = RATE
    """Sampling rate that recordings are converted to, in Hz; chosen if 0."""
    longest: float | None = LONGEST
    """Length in seconds at which longer recordings are cut; chosen if not given."""
    window: int = 32
    """Length of the window of a step of the features, in milliseconds."""
    step: int = 20
    """Distance between steps of the features, in milliseconds."""
    bands: int = 40
    """Number of mel frequency bands in the features."""
    valid: float | None = None
    """Share of the recordings for validation; chosen if not given."""
    test: float | None = None
    """Share of the recordings for testing; chosen if not given."""
    class_weights: Literal["none", "balanced"] | None = None
    """Weights of classes in the loss; balanced makes all classes equal; chosen if not given."""
    batch: int = 32
    """Number of recordings in a training step."""
    masks: int = 0
    """Number of frequency masks, and of time masks, in each training recording.
    They are those of SpecAugment (Park et al. 2019)."""
    warp: float = 0.0
    """Greatest relative change of the frequencies of each training recording.
    It stands for vocal tracts of other lengths (Jaitly & Hinton 2013)."""
    coloring: float = 0.0
    """Greatest standard deviation, in decibels, of a random smooth filter.
    Each training recording passes through one, which stands for another microphone or room."""
    scale_groups: bool = False
    """Scale the features of each speaker, or of each group, by their own mean and deviation.
    Recordings to classify later are scaled together, so they should be of one speaker."""
    left_out: str | None = None
    """Speaker of spoken digits to leave out of training and validation, and to test on."""

    @property
    def mel(self) -> Mel:
        """Return the configuration of the features."""
        return Mel(self.rate, self.window, self.step, self.bands)

    def bounds(self) -> Iterator[Bound]:
        """Yield the conditions on the fields."""
        bounds = self._every_bound()
        yield from or_open(bounds, *OPEN) if self.data == "own" else bounds

    def _every_bound(self) -> Iterator[Bound]:
        yield from super().bounds()
        own = self.data == "own"
        yield from left_alone(self, *OWN, unless="--data is own", allowed=own)
        yield from left_alone(self, "left_out", unless="--data is speech", allowed=not own)
        table = own and not self.folder
        yield from left_alone(self, *OF_TABLES, unless="--file names a table", allowed=table)
        yield from at_least(1, self, "batch")
        yield from at_least(0, self, "masks")
        yield "warp", self.warp, 0 <= self.warp <= 0.5, "in [0, 0.5]"
        yield "coloring", self.coloring, 0 <= self.coloring <= 30, "in [0, 30]"
        for name in ("warp", "coloring"):
            size = getattr(self, name)
            yield name, size, not (size and self.scale_groups), "0 with --scale-groups"
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
        expected = "a regular expression with a group in parentheses"
        yield "group_pattern", pattern, not pattern or _has_group(pattern), expected


def _within(value: float | None, least: float, most: float) -> bool:
    return value is None or least <= value <= most


def _has_group(pattern: str) -> bool:
    try:
        return re.compile(pattern).groups > 0
    except (re.error, OverflowError, RecursionError):
        return False
