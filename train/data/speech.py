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
TEST, VALID = range(5), range(5, 10)  # takes; those that follow are for training


class Recording(NamedTuple):
    """`samples` (n,) float32 at `audio.RATE`, what was said, by whom, and which of their takes."""

    samples: np.ndarray
    digit: int
    speaker: str
    take: int


@dataclass(frozen=True)
class Speech:
    """All recordings, by digit, speaker and take, and a digest over the pinned files."""

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
            name = "test" if one.take in TEST else "valid" if one.take in VALID else "train"
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
        digit, speaker, take = path.stem.split("_")
        samples, _ = audio.read(path)
        recordings.append(Recording(samples, int(digit), speaker, int(take)))
        assert name.endswith(path.name)
    recordings.sort(key=lambda one: (one.digit, one.speaker, one.take))
    return Speech(tuple(recordings), found.sha256)


def describe() -> tuple[dict[str, object], str]:
    """Describe the set for `lstm-jax data`: recordings and seconds of each split, and who speaks.

    Returns:
        Figures for JSON, and some lines for a person.

    Raises:
        DataError: a file is missing, altered or out of reach.
        AudioError: librosa is not installed.
    """
    found = load()
    splits = {
        name: {
            "recordings": len(recordings),
            "seconds": round(sum(len(one.samples) for one in recordings) / audio.RATE, 1),
        }
        for name, recordings in found.splits().items()
    }
    said = [
        f"{name:6} {counts['recordings']:6,} recordings, {counts['seconds']:7,.1f} seconds"
        for name, counts in splits.items()
    ]
    said.append(f"speakers: {', '.join(found.speakers)}")
    facts = {"speakers": list(found.speakers), "sha256": found.sha256}
    return {**facts, "splits": splits}, "\n".join(said)


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
