"""The run of a classifier of recordings, as returned by `fit.sounds` and `load`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.train.data import audio
from lstm_jax.train.data.audio import AudioError
from lstm_jax.train.tasks.classify.answers import Prediction
from lstm_jax.train.tasks.classify.run import ClassifierRun
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.predict import answer_each
from lstm_jax.train.tasks.sounds.task import longest_of, mel_of


@dataclass(frozen=True, repr=False)
class SoundsRun(ClassifierRun[SoundsConfig]):
    """Run of a classifier of recordings, with a method to predict classes."""

    def predict(
        self, sounds: str | Path | np.ndarray | Sequence[Any], *, rate: int | None = None
    ) -> Prediction | list[Prediction]:
        """Predict the classes of recordings.

        Args:
            sounds: the path of a sound file, or samples, (n,) or (n, channels), integers or
                floating point in [-1, 1]; or a list of paths or samples. A model that was trained
                with `scale_groups` scales a list together, so it should be of one speaker.
            rate: sampling rate of samples, in Hz.

        Returns:
            A `Prediction`, or a list of them for a list.

        Raises:
            AudioError: if a file or samples are not a sound, or samples have no rate.
        """
        if isinstance(sounds, str | Path | np.ndarray):
            [prediction] = answer_each(self.stored, [self._samples(sounds, rate)])
            return prediction
        return answer_each(self.stored, [self._samples(sound, rate) for sound in sounds])

    def _samples(self, sound: object, rate: int | None) -> np.ndarray:
        target, longest = mel_of(self.stored).rate, longest_of(self.stored)
        if isinstance(sound, str | Path):
            return audio.read(sound, target, longest)[0]
        samples = np.asarray(sound)
        if samples.ndim not in (1, 2) or samples.dtype.kind not in "if":
            raise AudioError(
                f"samples must be numbers, (n,) or (n, channels), got {samples.dtype} "
                f"{samples.shape}"
            )
        if rate is None:
            raise AudioError("samples must have a rate, such as predict(samples, rate=16_000)")
        if samples.dtype.kind == "i":
            samples = samples / -float(np.iinfo(samples.dtype).min)
        channels = samples[:, None] if samples.ndim == 1 else samples
        channels = channels[: int(longest * rate)].astype(np.float32)
        return audio.mono(channels, rate, target, "the sound")[0]
