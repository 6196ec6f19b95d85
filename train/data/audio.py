"""Sound files to features: log-mel energies, twenty milliseconds a step. By librosa, when asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.errors import UserError

RATE = 8000  # Hz
STEP = 160  # samples: 20 ms
WINDOW = 256  # samples: 32 ms
BANDS = 40
SHORTEST = 0.05  # seconds
LONGEST = 5.0


class AudioError(UserError, ValueError):
    """A sound file that cannot be read or used, or no librosa to do it with; one line."""


def read(path: str | Path) -> tuple[np.ndarray, list[str]]:
    """One sound, mono at `RATE`, from a wav file or another that libsndfile reads.

    Returns:
        `(samples (n,) float32 in [-1, 1], notes)`; each note says what was converted.

    Raises:
        AudioError: no such file, no sound in it, too short or long a one, or no librosa.
    """
    librosa, soundfile = _libraries()
    try:
        with soundfile.SoundFile(path) as file:
            rate, seconds = file.samplerate, file.frames / file.samplerate
            if seconds > LONGEST:
                raise AudioError(
                    f"{path} lasts {seconds:.1f} seconds, and at most {LONGEST:g} are read: "
                    "give one word"
                )
            sound = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(f"{path} cannot be read as a sound: {error}") from None
    notes = []
    if len(sound) < SHORTEST * rate:
        raise AudioError(
            f"{path} has {len(sound):,} samples at {rate:,} Hz, too few for a word: it takes "
            f"{SHORTEST:g} seconds at least"
        )
    if not np.isfinite(sound).all():
        raise AudioError(f"{path} has samples that are no numbers: record it again")
    if not np.ptp(sound, axis=0).any():
        raise AudioError(f"{path} is silent from end to end: record it again")
    if sound.shape[1] > 1:
        notes.append(f"{sound.shape[1]} channels became one, their mean")
    samples = sound.mean(1)
    if rate != RATE:
        notes.append(f"{rate:,} Hz became {RATE:,} Hz")
        samples = librosa.resample(samples, orig_sr=rate, target_sr=RATE)
    return samples.astype(np.float32), notes


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel energies in decibel, (T, `BANDS`) float32, less their one mean: the loudness."""
    librosa, _ = _libraries()
    spectra = np.abs(librosa.stft(samples, n_fft=WINDOW, hop_length=STEP)) ** 2
    energies = _filters() @ spectra
    found = librosa.power_to_db(energies, amin=1e-10, top_db=80.0).T
    return (found - found.mean()).astype(np.float32)


class Scaler:
    """Features to mean 0 and variance 1, band by band."""

    def __init__(self, mean: Sequence[float], scale: Sequence[float]):
        self.mean = np.asarray(mean, np.float32)
        self.scale = np.asarray(scale, np.float32)

    @classmethod
    def of(cls, features: Sequence[np.ndarray]) -> Scaler:
        """Fitted to some features (T, D)."""
        steps = np.concatenate(features)
        return cls(steps.mean(0), np.maximum(steps.std(0), 1e-3))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(T, D), scaled."""
        return (features - self.mean) / self.scale


@cache
def _filters() -> np.ndarray:
    librosa, _ = _libraries()
    return librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=BANDS)


def _libraries() -> tuple[Any, Any]:
    try:
        import librosa
        import soundfile
    except ImportError:
        raise AudioError(
            'sound files take librosa, which is not installed: pip install "lstm_jax[speech]"'
        ) from None
    return librosa, soundfile
