"""Held-out texts or sequences for a report on a classifier."""

from __future__ import annotations

import numpy as np

from lstm_jax.models.storage import Stored
from lstm_jax.report.rows import Rows
from lstm_jax.train.scope import Scope
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.evaluate import to_judge
from lstm_jax.train.tasks.classify.examples import Examples
from lstm_jax.train.tasks.classify.readers import TextReader, restored
from lstm_jax.train.tasks.classify.rows import rows_of_examples


def examples_to_read(stored: Stored, config: ClassifyConfig, count: int, steps: int) -> Rows:
    """Select examples of the test split, or of the validation split if there is no test split.

    Args:
        stored: the model.
        config: configuration of its run.
        count, steps: as in `rows_of_examples`.

    Raises:
        DataError: if data are missing or altered.
    """
    reader, classes = restored(stored.description), stored.description["classes"]
    _, cases, what, unit = to_judge(reader, config, Scope("test"), classes)
    if not len(cases.truth):
        _, cases, what, unit = to_judge(reader, config, Scope("valid"), classes)
    return rows_of_examples(
        Examples(cases.read, np.eye(len(classes), dtype=np.float32)[cases.truth]),
        count,
        steps,
        kind=unit.removesuffix("s"),
        source=f"{unit.capitalize()} of {what}.",
        words=cases.seen if isinstance(reader, TextReader) else None,
    )
