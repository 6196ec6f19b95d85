"""A listener as `fit` and `load` give it: ask it, measure it, draw its picture."""

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
    """Hold a trained listener with the run that made it."""

    def predict(
        self, sounds: str | Path | np.ndarray | Sequence[Any], *, rate: int | None = None
    ) -> Prediction | list[Prediction]:
        """Say of what class recordings are.

        Args:
            sounds: the path of a sound file, or samples, (n,) or (n, channels), integers or
                floating point in [-1, 1]; or a list of such.
            rate: of samples, Hz.

        Returns:
            A `Prediction`, or a list of them of a list.

        Raises:
            AudioError: a file or samples that are no sound, or samples without a rate.
        """
        if isinstance(sounds, str | Path | np.ndarray):
            [found] = answer_each(self.stored, [self._samples(sounds, rate)])
            return found
        return answer_each(self.stored, [self._samples(sound, rate) for sound in sounds])

    def _samples(self, sound: object, rate: int | None) -> np.ndarray:
        wanted, longest = mel_of(self.stored).rate, longest_of(self.stored)
        if isinstance(sound, str | Path):
            return audio.read(sound, wanted, longest)[0]
        samples = np.asarray(sound)
        if samples.ndim not in (1, 2) or samples.dtype.kind not in "if":
            raise AudioError(
                f"samples are numbers, (n,) or (n, channels), got {samples.dtype} {samples.shape}"
            )
        if rate is None:
            raise AudioError("samples take a rate: predict(samples, rate=16_000)")
        if samples.dtype.kind == "i":
            samples = samples / -float(np.iinfo(samples.dtype).min)
        channels = samples[:, None] if samples.ndim == 1 else samples
        channels = channels[: int(longest * rate)].astype(np.float32)
        return audio.mono(channels, rate, wanted, "the sound")[0]
