"""Spoken digits: log-mel features, scaled by what the training recordings have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from rich.console import Console
from rich.progress import track

from lstm_jax.train.data import audio, speech
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.data.speech import DIGITS, Recording, Speech
from lstm_jax.train.tasks.classify.examples import Examples
from lstm_jax.train.tasks.classify.task import ClassifierTask
from lstm_jax.train.tasks.speech.config import SpeechConfig

MASKED_BANDS = 8  # at most, of a mask
MASKED_SHARE = 0.2  # of the time, at most


def make_speech_task(config: SpeechConfig, data: Speech | None = None) -> ClassifierTask:
    """Load, extract features, and scale them by the training recordings alone.

    Args:
        config: of the run.
        data: what `speech.load()` gives, if it is at hand.

    Raises:
        DataError: a file is missing, altered or out of reach, or nobody is of the name left out.
        AudioError: librosa is not installed.
    """
    data = data or speech.load()
    splits = data.splits(config.left_out)
    train, valid = (features(splits[name], name) for name in ("train", "valid"))
    scaler = audio.fit_scaler(train)
    without = f", without {config.left_out}" if config.left_out else ""
    return ClassifierTask(
        config,
        description=f"speech: {len(train):,} recordings{without}",
        unit="recordings",
        facts={"data": "speech", "data_sha256": data.sha256},
        identity={"data": data.sha256},
        train=examples(splits["train"], train, scaler),
        valid=examples(splits["valid"], valid, scaler),
        reads={"in_features": audio.BANDS},
        own={
            "classes": DIGITS,
            "in_features": audio.BANDS,
            **scaler.to_dict(),
        },
        rows_of=lambda width: config.batch,
        augment=partial(mask, config.masks) if config.masks else None,
    )


def features(recordings: Sequence[Recording], name: str = "") -> list[np.ndarray]:
    """Compute log-mel energies, with a progress bar where there is a terminal.

    Args:
        recordings: N of them.
        name: of the split, for the bar.

    Returns:
        Arrays (T, `audio.BANDS`), float32.
    """
    errors = Console(stderr=True)
    hidden = not errors.is_terminal
    shown = track(recordings, f"Features {name}", console=errors, transient=True, disable=hidden)
    return [audio.log_mel(recording.samples) for recording in shown]


def examples(
    recordings: Sequence[Recording], found: Sequence[np.ndarray], scaler: Scaler
) -> Examples:
    """Put scaled features and digits together.

    Args:
        recordings: N of them.
        found: what `features` gives of them.
        scaler: of the training recordings.
    """
    digits = [recording.digit for recording in recordings]
    return Examples([scaler(one) for one in found], np.eye(len(DIGITS), dtype=np.float32)[digits])


def mask(count: int, rng: np.random.Generator, sequence: np.ndarray) -> np.ndarray:
    """Hide bands and stretches of time behind zeros, which are their mean (Park et al. 2019).

    Args:
        count: of each: up to `MASKED_BANDS` bands, and up to `MASKED_SHARE` of the time.
        rng: decides which.
        sequence: (T, D).

    Returns:
        A copy.
    """
    steps, bands = sequence.shape
    masked = sequence.copy()
    for _ in range(count):
        width = rng.integers(0, MASKED_BANDS + 1)
        start = rng.integers(0, bands - width + 1)
        masked[:, start : start + width] = 0
        width = rng.integers(0, int(MASKED_SHARE * steps) + 1)
        start = rng.integers(0, steps - width + 1)
        masked[start : start + width] = 0
    return masked
