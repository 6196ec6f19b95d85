"""Sounds to tell apart: log-mel features, scaled by what the training recordings have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from lstm_jax.models.storage import Stored
from lstm_jax.train.data import audio
from lstm_jax.train.data.audio import Mel
from lstm_jax.train.data.examples.parts import Part
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.tasks.classify.own import examples
from lstm_jax.train.tasks.classify.task import ClassifierTask
from lstm_jax.train.tasks.sounds.config import SoundsConfig

MASKED_BANDS = 8  # at most, of a mask
MASKED_SHARE = 0.2  # of the time, at most


def make_task(
    config: SoundsConfig,
    train: Part,
    valid: Part,
    classes: Sequence[str],
    *,
    description: str,
    facts: Mapping[str, str],
) -> ClassifierTask:
    """Scale features by the training recordings alone, and make what is to be learned of them.

    Args:
        config: of the run.
        train, valid: the recordings' features, not scaled, and their classes.
        classes: their names.
        description: of the data, for a person.
        facts: of the data, with "data_sha256".
    """
    scaler = audio.fit_scaler(train.inputs)
    own = {"classes": list(classes), "in_features": config.bands, **scaler.to_dict()}
    heard = {"mel": asdict(config.mel), "longest": config.longest}
    return ClassifierTask(
        config,
        description=description,
        unit="recordings",
        facts=facts,
        identity={"data": facts["data_sha256"]},
        train=examples(
            scaled(train, scaler), train.truth, len(classes), config.class_weights == "balanced"
        ),
        valid=examples(scaled(valid, scaler), valid.truth, len(classes)),
        reads={"in_features": config.bands},
        own={**own, **heard},
        rows_of=lambda width: config.batch,
        augment=partial(mask, config.masks) if config.masks else None,
        calibrated=config.data == "own",
    )


def scaled(part: Part, scaler: Scaler) -> list[np.ndarray]:
    """Scale the features of recordings as those to learn from were."""
    return [scaler(one) for one in part.inputs]


def scaler_of(stored: Stored) -> Scaler:
    """Take the scaler out of a model's description."""
    return Scaler.from_dict(stored.description, np.float32)


def mel_of(stored: Stored) -> Mel:
    """Take out of a model's description how its features are computed."""
    return Mel(**stored.description.get("mel", {}))  # older ones have those of spoken digits


def longest_of(stored: Stored) -> float:
    """Take out of a model's description how many seconds of a recording it hears."""
    return stored.description.get("longest") or audio.LONGEST


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
