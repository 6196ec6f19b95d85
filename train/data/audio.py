"""Sound files to features: log-mel energies, twenty milliseconds a step. By librosa, when asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from lstm_jax.errors import UserError
from lstm_jax.train.data.scaler import Scaler

RATE = 8000  # Hz
STEP = 160  # samples: 20 ms
WINDOW = 256  # samples: 32 ms
BANDS = 40
SHORTEST = 0.05  # seconds
LONGEST = 5.0
LEAST_DEVIATION = 1e-3  # of a band that is silent
CANCELLED = 0.01  # of the channels' mean power is left in their mean; 1/N of N that are unlike


class AudioError(UserError, ValueError):
    """A sound file that cannot be read or used, or no librosa to do it with; one line."""


def read(path: str | Path) -> tuple[np.ndarray, list[str]]:
    """Read one sound, mono at `RATE`, from a wav file or another that libsndfile reads.

    Args:
        path: of the file.

    Returns:
        `(samples (n,) float32 in [-1, 1], notes)`; each note says what was converted.

    Raises:
        AudioError: no such file, no sound in it, too short or long a one, or no librosa.
    """
    librosa, soundfile = _libraries()
    try:
        # By number: what a file is, it says itself, and soundfile would go by some names' endings
        # and knows none that are no UTF-8.
        with (
            open(path, "rb") as named,
            open(named.fileno(), "rb", closefd=False) as nameless,
            soundfile.SoundFile(nameless) as file,
        ):
            rate, seconds = file.samplerate, file.frames / file.samplerate
            if seconds > LONGEST:
                raise AudioError(
                    f"{path} lasts {seconds:.1f} seconds, and at most {LONGEST:g} are read: "
                    "give one word"
                )
            sound = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} cannot be read as a sound: {error.error_string}") from None
    except AudioError:
        raise
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:
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
    samples = sound.mean(1)
    powers = sound.var(0, dtype=np.float64)
    if samples.var(dtype=np.float64) < CANCELLED * powers.mean():
        loudest = int(powers.argmax())
        notes.append(
            f"{sound.shape[1]} channels cancel each other out (of opposite phase: a plug or a "
            f"cable is the wrong way round): only channel {loudest + 1} is read"
        )
        samples = sound[:, loudest]
    elif sound.shape[1] > 1:
        notes.append(f"{sound.shape[1]} channels became one, their mean")
    if rate != RATE:
        notes.append(f"{rate:,} Hz became {RATE:,} Hz")
        samples = librosa.resample(samples, orig_sr=rate, target_sr=RATE)
    return samples.astype(np.float32), notes


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Compute log-mel energies in decibel, less their one mean: the loudness.

    Args:
        samples: (n,) float32 at `RATE`.

    Returns:
        (T, `BANDS`) float32.
    """
    librosa, _ = _libraries()
    spectra = np.abs(librosa.stft(samples, n_fft=WINDOW, hop_length=STEP)) ** 2
    energies = _filters() @ spectra
    found = librosa.power_to_db(energies, amin=1e-10, top_db=80.0).T
    return (found - found.mean()).astype(np.float32)


def fit_scaler(features: Sequence[np.ndarray]) -> Scaler:
    """Fit a scaler to features, band by band, in float32.

    Args:
        features: arrays (T, D); T may differ.
    """
    steps = np.concatenate(features)
    mean, scale = steps.mean(0), np.maximum(steps.std(0), LEAST_DEVIATION)
    return Scaler(mean.astype(np.float32), scale.astype(np.float32))


@cache
def _filters() -> np.ndarray:
    librosa, _ = _libraries()
    return librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=BANDS)


def _libraries() -> tuple[ModuleType, ModuleType]:
    try:
        import librosa
        import soundfile
    except ImportError:
        raise AudioError(
            'sound files take librosa, which is not installed: pip install "lstm_jax[speech]"'
        ) from None
    return librosa, soundfile
