"""The task of classifying recordings by log-mel features, scaled by the training recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from lstm_jax.models.storage import Stored
from lstm_jax.train.data import audio
from lstm_jax.train.data.audio import Mel
from lstm_jax.train.data.examples.parts import Part
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.tasks.classify.own import examples
from lstm_jax.train.tasks.classify.task import ClassifierTask
from lstm_jax.train.tasks.sounds.augment import make_augment
from lstm_jax.train.tasks.sounds.config import SoundsConfig


def make_task(
    config: SoundsConfig,
    train: Part,
    valid: Part,
    classes: Sequence[str],
    *,
    description: str,
    facts: Mapping[str, str],
) -> ClassifierTask:
    """Scale features by the training recordings alone, and build the task.

    Args:
        config: configuration of the run.
        train, valid: unscaled features of recordings, and their classes.
        classes: names of the classes.
        description: description of the data, for a person.
        facts: facts about the data, including "data_sha256".
    """
    scaler = audio.fit_scaler(train.inputs)
    fields = {"classes": list(classes), "in_features": config.bands, **scaler.to_dict()}
    settings = {
        "mel": asdict(config.mel),
        "longest": config.longest,
        "scale_groups": config.scale_groups,
    }
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
        own={**fields, **settings},
        rows_of=lambda width: config.batch,
        augment=make_augment(config, scaler),
        calibrated=config.data == "own",
    )


def scaled(part: Part, scaler: Scaler) -> list[np.ndarray]:
    """Scale the features of recordings."""
    return [scaler(features) for features in part.inputs]


def scaler_of(stored: Stored) -> Scaler:
    """Return the scaler in a model's description."""
    return Scaler.from_dict(stored.description, np.float32)


def mel_of(stored: Stored) -> Mel:
    """Return the configuration of the features in a model's description."""
    return Mel(**stored.description.get("mel", {}))  # older models are of spoken digits


def scales_groups(stored: Stored) -> bool:
    """Return whether a model reads features that are scaled by group; see `audio.scale_groups`."""
    return stored.description.get("scale_groups", False)


def longest_of(stored: Stored) -> float:
    """Return the maximum length of a recording, in seconds, in a model's description."""
    return stored.description.get("longest") or audio.LONGEST
