"""The task of classifying spoken digits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.train.data import audio, speech
from lstm_jax.train.data.examples.hearing import progress
from lstm_jax.train.data.examples.parts import Part
from lstm_jax.train.data.speech import DIGITS, Recording, Speech
from lstm_jax.train.tasks.classify.task import ClassifierTask
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.task import make_task


def make_speech_task(config: SoundsConfig, data: Speech | None = None) -> ClassifierTask:
    """Load spoken digits, compute their features, and build the task.

    Args:
        config: configuration of the run.
        data: the data, if they are loaded already.

    Raises:
        DataError: if a file is missing, altered or out of reach, or `left_out` is not a speaker.
        AudioError: if librosa is not installed.
    """
    data = data or speech.load()
    splits = data.splits(config.left_out)
    train, valid = (part_of(config, splits[name], name) for name in ("train", "valid"))
    without = f", without {config.left_out}" if config.left_out else ""
    return make_task(
        config,
        train,
        valid,
        DIGITS,
        description=f"speech: {len(train.inputs):,} recordings{without}",
        facts={"data": "speech", "data_sha256": data.sha256},
    )


def part_of(config: SoundsConfig, recordings: Sequence[Recording], name: str) -> Part:
    """Compute the features of recordings, scaled by speaker if the configuration says so.

    Args:
        config: configuration of the run.
        recordings: N recordings.
        name: name of the split, for the progress bar.
    """
    audio.check(config.mel)
    shown = progress(recordings, f"Features {name}")
    features = [audio.log_mel(recording.samples, config.mel) for recording in shown]
    if config.scale_groups:
        features = audio.scale_groups(features, [recording.speaker for recording in recordings])
    return Part(features, np.array([recording.digit for recording in recordings]))
