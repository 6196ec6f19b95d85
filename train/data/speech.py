"""Spoken digits: the Free Spoken Digit Dataset, 3,000 recordings of six speakers.

github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), 8 kHz. Its own split has the first
five recordings of each digit and speaker for testing; the next five are for validation here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data import audio
from lstm_jax.train.data.download import DataError, Source, fetch

COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
REPOSITORY = "free-spoken-digit-dataset"
DIGITS = tuple("0123456789")
TEST, VALID = range(5), range(5, 10)  # indices; those that follow are for training


class Recording(NamedTuple):
    """`samples` (n,) float32 at `audio.RATE`, what was said, by whom, and which of their takes."""

    samples: np.ndarray
    digit: int
    speaker: str
    index: int


@dataclass(frozen=True)
class Speech:
    """All recordings, by digit, speaker and index, and a digest over the pinned files."""

    recordings: tuple[Recording, ...]
    sha256: str

    @property
    def speakers(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted({recording.speaker for recording in self.recordings}))

    def splits(self, left_out: str | None = None) -> dict[str, tuple[Recording, ...]]:
        """Recordings by the name of their split.

        Args:
            left_out: a speaker whose recordings, all of them, are the test; the other speakers'
                are split as ever, and what would be their test is not used.

        Raises:
            DataError: nobody of that name.
        """
        if left_out not in (None, *self.speakers):
            names = ", ".join(self.speakers)
            raise DataError(f"there is no speaker {left_out!r}; the speakers are {names}")
        parts: dict[str, list[Recording]] = {"train": [], "valid": [], "test": []}
        for one in self.recordings:
            name = "test" if one.index in TEST else "valid" if one.index in VALID else "train"
            if left_out is not None and one.speaker == left_out:
                parts["test"].append(one)
            elif left_out is None or name != "test":
                parts[name].append(one)
        return {name: tuple(part) for name, part in parts.items()}


def load() -> Speech:
    """Fetch and read the recordings.

    Raises:
        DataError: a file is missing, altered or out of reach.
        AudioError: librosa is not installed.
    """
    found = source()
    recordings = []
    for name, path in fetch(found).items():
        digit, speaker, index = path.stem.split("_")
        samples, _ = audio.read(path)
        recordings.append(Recording(samples, int(digit), speaker, int(index)))
        assert name.endswith(path.name)
    recordings.sort(key=lambda one: (one.digit, one.speaker, one.index))
    return Speech(tuple(recordings), found.sha256)


@cache
def source() -> Source:
    """Where the recordings come from: one archive, for 3,000 requests would be rude."""
    text = (resources.files("lstm_jax.train.data") / "fsdd_sha256.txt").read_text("utf-8")
    return Source(
        name="fsdd",
        base_url=f"https://raw.githubusercontent.com/Jakobovski/{REPOSITORY}/{COMMIT}",
        files=dict(line.split() for line in text.splitlines()),
        archive_url=f"https://github.com/Jakobovski/{REPOSITORY}/archive/{COMMIT}.tar.gz",
        archive_folder=f"{REPOSITORY}-{COMMIT}",
    )
