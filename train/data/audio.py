"""Log-mel features of sound files, one step per 20 ms; librosa is imported only when needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
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
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz, that a file may have
SHORTEST = 0.05  # seconds
LONGEST = 5.0
SILENT = 1e-6  # range of the samples; anything smaller is below the floor of `log_mel`
LOUDEST = 1e6  # largest sample whose square is safe in float32
LEAST_DEVIATION = 1e-3  # stands in for the deviation of a silent band
# Channels cancel if their mean has less than this share of their mean power; N unrelated
# channels would leave 1/N.
CANCELLED = 0.01


class AudioError(UserError, ValueError):
    """Report that a sound file cannot be read or used, or that librosa is missing, in one line."""


@dataclass(frozen=True)
class Mel:
    """Configure how samples become log-mel energies.

    Attributes:
        rate: sampling rate, in Hz.
        window: length of the window of a step, in milliseconds.
        step: distance between steps, in milliseconds.
        bands: number of mel frequency bands.
    """

    rate: int = RATE
    window: int = 32
    step: int = 20
    bands: int = 40

    def samples(self, milliseconds: int) -> int:
        """Convert milliseconds to a number of samples."""
        return self.rate * milliseconds // 1000


class Header(NamedTuple):
    """Store the properties of a sound file that are known before its samples are read."""

    rate: int
    channels: int
    seconds: float


def check(mel: Mel) -> None:
    """Raise an error if the features cannot be computed.

    Args:
        mel: the configuration of the features.

    Raises:
        AudioError: if there are more bands than the window can resolve, or librosa is missing.
    """
    _filters(mel)


def header(path: str | Path) -> Header:
    """Read the header of a sound file.

    Args:
        path: the sound file.

    Raises:
        AudioError: if the file is missing, is not a sound file or has an impossible rate, or if
            librosa is missing.
    """
    with _opened(path) as file:
        return _header(path, file)


def read(
    path: str | Path, rate: int = RATE, longest: float = LONGEST
) -> tuple[np.ndarray, list[str]]:
    """Read a sound as one channel, from a WAV file or any other format that libsndfile reads.

    Args:
        path: the sound file.
        rate: sampling rate of the result, in Hz.
        longest: length in seconds after which the sound is cut.

    Returns:
        `(samples (n,) float32 at `rate`, notes)`; each note describes a conversion.

    Raises:
        AudioError: if the file is missing, is not a sound file or is too short, or if librosa is
            missing.
    """
    with _opened(path) as file:
        facts = _header(path, file)
        sound = file.read(int(longest * facts.rate), dtype="float32", always_2d=True)
    samples, notes = mono(sound, facts.rate, rate, str(path))
    if facts.seconds > longest + 1 / facts.rate:
        cut = f"it lasts {facts.seconds:,.1f} seconds; only the first {longest:g} are used"
        notes.insert(0, cut)
    return samples, notes


def mono(sound: np.ndarray, rate: int, target: int, name: str) -> tuple[np.ndarray, list[str]]:
    """Mix channels into one, and resample it.

    Args:
        sound: (n, channels) float32.
        rate: sampling rate of `sound`, in Hz.
        target: sampling rate of the result, in Hz.
        name: name of the sound, for errors.

    Returns:
        `(samples (n',) float32, notes)`.

    Raises:
        AudioError: if the sound is too short or silent, or its samples are not plausible.
    """
    if len(sound) < SHORTEST * rate:
        raise AudioError(
            f"{name} has {len(sound):,} samples at {rate:,} Hz, too few for a word: a recording "
            f"must last at least {SHORTEST:g} seconds"
        )
    if not np.isfinite(sound).all():
        raise AudioError(f"{name} has samples that are not numbers: record it again")
    if np.abs(sound).max() > LOUDEST:
        raise AudioError(
            f"{name} has samples as large as {np.abs(sound).max():.2g}: the samples of a recording "
            "must be between -1 and 1"
        )
    if np.ptp(sound, axis=0).max() <= SILENT:
        raise AudioError(f"{name} is silent from start to end: record it again")
    notes = []
    samples = sound.mean(1)
    powers = sound.var(0, dtype=np.float64)
    if samples.var(dtype=np.float64) < CANCELLED * powers.mean():
        loudest = int(powers.argmax())
        notes.append(
            f"{sound.shape[1]} channels cancel each other out (their phases are opposite; check "
            f"plugs and cables): only channel {loudest + 1} is used"
        )
        samples = sound[:, loudest]
    elif sound.shape[1] > 1:
        notes.append(f"{sound.shape[1]} channels were averaged into one")
    if rate != target:
        notes.append(f"{rate:,} Hz was resampled to {target:,} Hz")
        librosa, _ = _libraries()
        samples = librosa.resample(samples, orig_sr=rate, target_sr=target)
    return samples.astype(np.float32), notes


def log_mel(samples: np.ndarray, mel: Mel = Mel()) -> np.ndarray:
    """Compute log-mel energies in decibels, minus their overall mean, i.e. the loudness.

    Args:
        samples: (n,) float32 at `mel.rate`.
        mel: the configuration of the features.

    Returns:
        (T, `mel.bands`) float32.
    """
    librosa, _ = _libraries()
    window, step = mel.samples(mel.window), mel.samples(mel.step)
    spectra = np.abs(librosa.stft(samples, n_fft=window, hop_length=step)) ** 2
    energies = _filters(mel) @ spectra
    decibels = librosa.power_to_db(energies, amin=1e-10, top_db=80.0).T
    return (decibels - decibels.mean()).astype(np.float32)


def frequencies(mel: Mel = Mel()) -> np.ndarray:
    """Compute the center of each band, in Hz, (D,).

    Args:
        mel: the configuration of the features.

    Raises:
        AudioError: if librosa is not installed.
    """
    librosa, _ = _libraries()
    return librosa.mel_frequencies(mel.bands + 2, fmax=mel.rate / 2)[1:-1]


def fit_scaler(features: Sequence[np.ndarray]) -> Scaler:
    """Fit a scaler to features, separately for each band, in float32.

    Args:
        features: arrays (T, D), where T may differ.
    """
    steps = np.concatenate(features)
    mean, scale = steps.mean(0), np.maximum(steps.std(0), LEAST_DEVIATION)
    return Scaler(mean.astype(np.float32), scale.astype(np.float32))


def scale_groups(features: Sequence[np.ndarray], groups: Sequence[Hashable]) -> list[np.ndarray]:
    """Scale the features of each group, such as a speaker, by its own mean and deviation.

    This removes what all recordings of a group have in common: a microphone, a room, or the color
    of a voice (Viikki & Laurila 1998). A group should have many recordings, because from a single
    one it also removes some of what was said.

    Args:
        features: N arrays (T, D), where T may differ.
        groups: the group of each array.

    Returns:
        N arrays (T, D) float32; each band of a group has mean 0 and deviation 1.
    """
    members = defaultdict(list)
    for group, each in zip(groups, features, strict=True):
        members[group].append(each)
    scalers = {group: fit_scaler(own) for group, own in members.items()}
    return [scalers[group](each) for group, each in zip(groups, features, strict=True)]


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    _, soundfile = _libraries()
    try:
        # Opened by its descriptor, because soundfile would guess the format from some file names
        # and cannot open names that are not UTF-8.
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
            f"{path} claims a rate of {file.samplerate:,} samples per second: the rate must be "
            f"between {LOWEST_RATE:,} and {HIGHEST_RATE:,}"
        )
    return Header(file.samplerate, file.channels, file.frames / file.samplerate)


@cache
def _filters(mel: Mel) -> np.ndarray:
    librosa, _ = _libraries()
    window = mel.samples(mel.window)
    edges = librosa.mel_frequencies(mel.bands + 2, fmax=mel.rate / 2)
    # A band that no frequency of the window falls into would always be silent.
    spectrum = np.arange(1 + window // 2) * mel.rate / window
    empty = np.searchsorted(spectrum, edges[2:], "left") <= np.searchsorted(
        spectrum, edges[:-2], "right"
    )
    if empty.any():
        raise AudioError(
            f"{mel.bands} bands are too many for a window of {mel.window} ms at {mel.rate:,} Hz: "
            "use fewer bands or a longer window"
        )
    return librosa.filters.mel(sr=mel.rate, n_fft=window, n_mels=mel.bands)


def _libraries() -> tuple[ModuleType, ModuleType]:
    try:
        import librosa
        import soundfile
    except ImportError:
        raise AudioError(
            'sound files need librosa, which is not installed: pip install "lstm_jax[speech]"'
        ) from None
    return librosa, soundfile
