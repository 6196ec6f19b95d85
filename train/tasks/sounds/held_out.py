"""Held-out recordings for a report on a classifier."""

from __future__ import annotations

import numpy as np

from lstm_jax.models.storage import Stored
from lstm_jax.report.rows import Rows
from lstm_jax.train.scope import Scope
from lstm_jax.train.tasks.classify.examples import Examples
from lstm_jax.train.tasks.classify.rows import rows_of_examples
from lstm_jax.train.tasks.sounds.config import SoundsConfig
from lstm_jax.train.tasks.sounds.evaluate import to_judge
from lstm_jax.train.tasks.sounds.task import scaled, scaler_of


def recordings_to_read(stored: Stored, config: SoundsConfig, count: int, steps: int) -> Rows:
    """Select recordings of the test split, or of the validation split if there is no test split.

    Args:
        stored: the model.
        config: configuration of its run.
        count, steps: as in `rows_of_examples`.

    Raises:
        DataError: if data are missing or altered.
        AudioError: if librosa is not installed.
    """
    _, part, what = to_judge(stored, config, Scope("test"))
    if not len(part.truth):
        _, part, what = to_judge(stored, config, Scope("valid"))
    truth = np.eye(len(stored.description["classes"]), dtype=np.float32)[part.truth]
    examples = Examples(scaled(part, scaler_of(stored)), truth)
    source = f"Recordings of {what}."
    return rows_of_examples(examples, count, steps, kind="recording", source=source)
