"""Random changes to the features of training recordings: voices, microphones, and masks.

They teach a model to understand voices, microphones and rooms that its training recordings lack.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from lstm_jax.train.data.audio import frequencies
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.tasks.classify.task import Augment
from lstm_jax.train.tasks.sounds.config import SoundsConfig

MASKED_BANDS = 8  # maximum number of bands in a mask
MASKED_SHARE = 0.2  # maximum share of the time in a mask
WAVES = 3  # cosines in the response of a random filter


def make_augment(config: SoundsConfig, scaler: Scaler) -> Augment | None:
    """Build the function that changes the scaled features of a training recording at random.

    Args:
        config: the configuration of the run, with the size of each change.
        scaler: the scaler of the features.

    Returns:
        `augment(rng, scaled)`, or None if the configuration asks for no change.
    """
    if not (config.warp or config.coloring):
        return partial(mask, config.masks) if config.masks else None
    bands = frequencies(config.mel)

    def augment(rng: np.random.Generator, scaled: np.ndarray) -> np.ndarray:
        features = warp(bands, rng.uniform(-config.warp, config.warp), scaler.inverse(scaled))
        features += response(rng.uniform(0, config.coloring), rng, len(bands))
        return mask(config.masks, rng, scaler((features - features.mean()).astype(np.float32)))

    return augment


def warp(bands: np.ndarray, change: float, features: np.ndarray) -> np.ndarray:
    """Move all frequencies as a shorter or longer vocal tract would (Jaitly & Hinton 2013).

    Args:
        bands: (D,), the center of each band, in Hz.
        change: relative change of the frequencies; 0.1 moves 1,000 Hz to 1,100 Hz.
        features: (T, D).

    Returns:
        (T, D), interpolated between bands; the last band is repeated beyond the last.
    """
    places = np.interp(bands / (1 + change), bands, np.arange(len(bands)))
    below = np.minimum(places.astype(int), len(bands) - 2)
    share = places - below
    return features[:, below] * (1 - share) + features[:, below + 1] * share


def response(size: float, rng: np.random.Generator, bands: int) -> np.ndarray:
    """Draw the response of a random smooth filter, such as another microphone or room.

    Args:
        size: standard deviation of the response, in decibels.
        rng: random generator.
        bands: number of bands, D.

    Returns:
        (D,), in decibels.
    """
    places = (np.arange(bands) + 0.5) / bands
    waves = np.cos(np.pi * np.outer(np.arange(1, WAVES + 1), places))
    return size * np.sqrt(2 / WAVES) * rng.normal(size=WAVES) @ waves


def mask(count: int, rng: np.random.Generator, sequence: np.ndarray) -> np.ndarray:
    """Mask bands and spans of time by zeros, the mean of the features (Park et al. 2019).

    Args:
        count: number of masks of each kind, of up to `MASKED_BANDS` bands, and of up to
            `MASKED_SHARE` of the time.
        rng: random generator.
        sequence: (T, D), the features.

    Returns:
        A copy with the masks.
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
