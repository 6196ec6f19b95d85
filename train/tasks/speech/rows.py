"""Recordings for a report."""

from __future__ import annotations

from lstm_jax.models.storage import Stored
from lstm_jax.report.rows import Rows
from lstm_jax.train.data import speech
from lstm_jax.train.tasks.classify.rows import rows_of_examples
from lstm_jax.train.tasks.speech.config import SpeechConfig
from lstm_jax.train.tasks.speech.predict import scaler_of
from lstm_jax.train.tasks.speech.task import examples, features


def recordings_to_read(stored: Stored, config: SpeechConfig, count: int, steps: int) -> Rows:
    """Take recordings of the test split.

    Args:
        stored: the model.
        config: of its run.
        count, steps: as in `rows_of_examples`.

    Raises:
        DataError: data that is missing or altered.
        AudioError: librosa is not installed.
    """
    recordings = speech.load().splits(config.left_out)["test"]
    found = examples(recordings, features(recordings, "test"), scaler_of(stored))
    source = "Recordings of the test split of speech."
    return rows_of_examples(found, count, steps, kind="recording", source=source)
