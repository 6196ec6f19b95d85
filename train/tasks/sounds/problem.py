"""The problem of classifying recordings."""

from collections.abc import Mapping
from typing import Any

from lstm_jax.train.data import speech
from lstm_jax.train.look import Look
from lstm_jax.train.problem import Ask, Problem
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.evaluate import measure
from lstm_jax.train.tasks.sounds.held_out import recordings_to_read
from lstm_jax.train.tasks.sounds.own import look_at_own
from lstm_jax.train.tasks.sounds.predict import SoundsOptions, recognize
from lstm_jax.train.tasks.sounds.run import SoundsRun
from lstm_jax.train.tasks.sounds.speech import make_speech_task


def look(config: SoundsConfig, given: object = None) -> Look[SoundsConfig]:
    """Inspect the recordings of a configuration; for spoken digits there are no choices."""
    if config.data == "own":
        return look_at_own(config, given)
    return Look(config, make_speech_task(config))


def of_speech(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the configuration of an older run, when spoken digits were a problem of their own."""
    return {**values, "data": "speech"}


SOUNDS = Problem(
    name="sounds",
    config=SoundsConfig,
    look=look,
    network="SequenceClassifier",
    evaluate=measure,
    reads_files=True,
    picture="reliability.png",
    rows=recordings_to_read,
    asks={"predict": Ask(SoundsOptions, recognize)},
    run=SoundsRun,
    data={"speech": speech.describe},
    before={"speech": of_speech},
)
