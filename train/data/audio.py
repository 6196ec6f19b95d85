"""Sound files to features: log-mel energies, twenty milliseconds a step. By librosa, when asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.errors import UserError
from lstm_jax.train.data.scaler import Scaler

RATE = 8000  # Hz
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # of a file
SHORTEST = 0.05  # seconds
LONGEST = 5.0
SILENT = 1e-6  # between the lowest and the highest sample: less is below the floor of `log_mel`
LOUDEST = 1e6  # whose squares float32 still holds
LEAST_DEVIATION = 1e-3  # of a band that is silent
CANCELLED = 0.01  # of the channels' mean power is left in their mean; 1/N of N that are unlike


class AudioError(UserError, ValueError):
    """A sound file that cannot be read or used, or no librosa to do it with; one line."""


@dataclass(frozen=True)
class Mel:
    """How samples become log-mel energies.

    Attributes:
        rate: of the samples, Hz.
        window: milliseconds that a step looks at.
        step: milliseconds between steps.
        bands: of frequency.
    """

    rate: int = RATE
    window: int = 32
    step: int = 20
    bands: int = 40

    def samples(self, milliseconds: int) -> int:
        """Give the number of samples in some milliseconds."""
        return self.rate * milliseconds // 1000


class Header(NamedTuple):
    """What a file says of itself, before its samples are read."""

    rate: int
    channels: int
    seconds: float


def check(mel: Mel) -> None:
    """Refuse features that cannot be computed.

    Args:
        mel: how they are asked for.

    Raises:
        AudioError: more bands than the window can tell apart, or no librosa.
    """
    _filters(mel)


def header(path: str | Path) -> Header:
    """Read what a sound file says of itself.

    Args:
        path: of the file.

    Raises:
        AudioError: no such file, no sound in it, a rate that cannot be, or no librosa.
    """
    with _opened(path) as file:
        return _header(path, file)


def read(
    path: str | Path, rate: int = RATE, longest: float = LONGEST
) -> tuple[np.ndarray, list[str]]:
    """Read one sound, mono, from a wav file or another that libsndfile reads.

    Args:
        path: of the file.
        rate: of the samples that are wanted, Hz.
        longest: seconds; a sound that is longer is cut there.

    Returns:
        `(samples (n,) float32 at `rate`, notes)`; each note says what was converted.

    Raises:
        AudioError: no such file, no sound in it, too short a one, or no librosa.
    """
    with _opened(path) as file:
        said = _header(path, file)
        sound = file.read(int(longest * said.rate), dtype="float32", always_2d=True)
    samples, notes = mono(sound, said.rate, rate, str(path))
    if said.seconds > longest + 1 / said.rate:
        cut = f"it lasts {said.seconds:,.1f} seconds: only the first {longest:g} are read"
        notes.insert(0, cut)
    return samples, notes


def mono(sound: np.ndarray, rate: int, wanted: int, name: str) -> tuple[np.ndarray, list[str]]:
    """Make one channel of some, at the rate that is wanted.

    Args:
        sound: (n, channels) float32.
        rate: of it, Hz.
        wanted: the rate to give, Hz.
        name: of the sound, for errors.

    Returns:
        `(samples (n',) float32, notes)`.

    Raises:
        AudioError: too short a sound, a silent one, or samples that cannot be.
    """
    if len(sound) < SHORTEST * rate:
        raise AudioError(
            f"{name} has {len(sound):,} samples at {rate:,} Hz, too few for a word: it takes "
            f"{SHORTEST:g} seconds at least"
        )
    if not np.isfinite(sound).all():
        raise AudioError(f"{name} has samples that are no numbers: record it again")
    if np.abs(sound).max() > LOUDEST:
        raise AudioError(
            f"{name} has samples as large as {np.abs(sound).max():.2g}: they are between -1 and 1 "
            "in a recording"
        )
    if np.ptp(sound, axis=0).max() <= SILENT:
        raise AudioError(f"{name} is silent from end to end: record it again")
    notes = []
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
    if rate != wanted:
        notes.append(f"{rate:,} Hz became {wanted:,} Hz")
        librosa, _ = _libraries()
        samples = librosa.resample(samples, orig_sr=rate, target_sr=wanted)
    return samples.astype(np.float32), notes


def log_mel(samples: np.ndarray, mel: Mel = Mel()) -> np.ndarray:
    """Compute log-mel energies in decibel, less their one mean: the loudness.

    Args:
        samples: (n,) float32 at `mel.rate`.
        mel: how.

    Returns:
        (T, `mel.bands`) float32.
    """
    librosa, _ = _libraries()
    window, step = mel.samples(mel.window), mel.samples(mel.step)
    spectra = np.abs(librosa.stft(samples, n_fft=window, hop_length=step)) ** 2
    energies = _filters(mel) @ spectra
    found = librosa.power_to_db(energies, amin=1e-10, top_db=80.0).T
    return (found - found.mean()).astype(np.float32)


def frequencies(mel: Mel = Mel()) -> np.ndarray:
    """Give the middle of each band, in Hz, (D,).

    Raises:
        AudioError: librosa is not installed.
    """
    librosa, _ = _libraries()
    return librosa.mel_frequencies(mel.bands + 2, fmax=mel.rate / 2)[1:-1]


def fit_scaler(features: Sequence[np.ndarray]) -> Scaler:
    """Fit a scaler to features, band by band, in float32.

    Args:
        features: arrays (T, D); T may differ.
    """
    steps = np.concatenate(features)
    mean, scale = steps.mean(0), np.maximum(steps.std(0), LEAST_DEVIATION)
    return Scaler(mean.astype(np.float32), scale.astype(np.float32))


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    _, soundfile = _libraries()
    try:
        # By number: what a file is, it says itself, and soundfile would go by some names' endings
        # and knows none that are no UTF-8.
        with (
            open(path, "rb") as named,
            open(named.fileno(), "rb", closefd=False) as nameless,
            soundfile.SoundFile(nameless) as file,
        ):
            yield file
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} cannot be read as a sound: {error.error_string}") from None
    except AudioError:
        raise
    except (soundfile.SoundFileError, OSError, TypeError, ValueError, MemoryError) as error:
        raise AudioError(f"{path} cannot be read as a sound: {error}") from None


def _header(path: str | Path, file: Any) -> Header:
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise AudioError(
            f"{path} says that it has {file.samplerate:,} samples a second: "
            f"{LOWEST_RATE:,} to {HIGHEST_RATE:,} are read"
        )
    return Header(file.samplerate, file.channels, file.frames / file.samplerate)


@cache
def _filters(mel: Mel) -> np.ndarray:
    librosa, _ = _libraries()
    window = mel.samples(mel.window)
    edges = librosa.mel_frequencies(mel.bands + 2, fmax=mel.rate / 2)
    # A band that no frequency of the window falls into would always be silent.
    heard = np.arange(1 + window // 2) * mel.rate / window
    empty = np.searchsorted(heard, edges[2:], "left") <= np.searchsorted(heard, edges[:-2], "right")
    if empty.any():
        raise AudioError(
            f"{mel.bands} bands are too many for a window of {mel.window} ms at {mel.rate:,} Hz: "
            "take fewer, or a longer window"
        )
    return librosa.filters.mel(sr=mel.rate, n_fft=window, n_mels=mel.bands)


def _libraries() -> tuple[ModuleType, ModuleType]:
    try:
        import librosa
        import soundfile
    except ImportError:
        raise AudioError(
            'sound files take librosa, which is not installed: pip install "lstm_jax[speech]"'
        ) from None
    return librosa, soundfile
