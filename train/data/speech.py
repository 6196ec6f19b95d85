"""Spoken digits: the Free Spoken Digit Dataset, 3,000 recordings of six speakers.

github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0), 8 kHz. The official split tests on
the first five recordings of each digit and speaker; here the next five are for validation.
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
TEST, VALID = range(5), range(5, 10)  # takes; the later ones are for training


class Recording(NamedTuple):
    """Store `samples` (n,) float32 at `audio.RATE`, the spoken digit, the speaker and the take."""

    samples: np.ndarray
    digit: int
    speaker: str
    take: int


@dataclass(frozen=True)
class Speech:
    """Store all recordings, sorted by digit, speaker and take, and a digest of the pinned files."""

    recordings: tuple[Recording, ...]
    sha256: str

    @property
    def speakers(self) -> tuple[str, ...]:
        """Return the sorted names of the speakers."""
        return tuple(sorted({recording.speaker for recording in self.recordings}))

    def splits(self, left_out: str | None = None) -> dict[str, tuple[Recording, ...]]:
        """Return the recordings of each split.

        Args:
            left_out: a speaker whose recordings are all used for testing; the recordings of the
                other speakers are split as usual, and their test part is not used.

        Raises:
            DataError: if there is no speaker of that name.
        """
        if left_out not in (None, *self.speakers):
            names = ", ".join(self.speakers)
            raise DataError(f"there is no speaker {left_out!r}; the speakers are {names}")
        parts: dict[str, list[Recording]] = {"train": [], "valid": [], "test": []}
        for recording in self.recordings:
            name = (
                "test"
                if recording.take in TEST
                else "valid"
                if recording.take in VALID
                else "train"
            )
            if left_out is not None and recording.speaker == left_out:
                parts["test"].append(recording)
            elif left_out is None or name != "test":
                parts[name].append(recording)
        return {name: tuple(part) for name, part in parts.items()}


def load() -> Speech:
    """Fetch and read the recordings.

    Raises:
        DataError: if a file is missing, altered or out of reach.
        AudioError: if librosa is not installed.
    """
    pinned = source()
    recordings = []
    for name, path in fetch(pinned).items():
        digit, speaker, take = path.stem.split("_")
        samples, _ = audio.read(path)
        recordings.append(Recording(samples, int(digit), speaker, int(take)))
        assert name.endswith(path.name)
    recordings.sort(key=lambda recording: (recording.digit, recording.speaker, recording.take))
    return Speech(tuple(recordings), pinned.sha256)


def describe() -> tuple[dict[str, object], str]:
    """Describe the set for `lstm-jax data`: recordings and seconds per split, and the speakers.

    Returns:
        Figures for JSON, and lines of text for a person.

    Raises:
        DataError: if a file is missing, altered or out of reach.
        AudioError: if librosa is not installed.
    """
    speech = load()
    splits = {
        name: {
            "recordings": len(recordings),
            "seconds": round(
                sum(len(recording.samples) for recording in recordings) / audio.RATE, 1
            ),
        }
        for name, recordings in speech.splits().items()
    }
    lines = [
        f"{name:6} {counts['recordings']:6,} recordings, {counts['seconds']:7,.1f} seconds"
        for name, counts in splits.items()
    ]
    lines.append(f"speakers: {', '.join(speech.speakers)}")
    facts = {"speakers": list(speech.speakers), "sha256": speech.sha256}
    return {**facts, "splits": splits}, "\n".join(lines)


@cache
def source() -> Source:
    """Return the source of the recordings: one archive, because 3,000 requests would be rude."""
    text = (resources.files("lstm_jax.train.data") / "fsdd_sha256.txt").read_text("utf-8")
    return Source(
        name="fsdd",
        base_url=f"https://raw.githubusercontent.com/Jakobovski/{REPOSITORY}/{COMMIT}",
        files=dict(line.split() for line in text.splitlines()),
        archive_url=f"https://github.com/Jakobovski/{REPOSITORY}/archive/{COMMIT}.tar.gz",
        archive_folder=f"{REPOSITORY}-{COMMIT}",
    )
