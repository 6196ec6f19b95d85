"""The problem of classifying texts, or sequences of numbers."""

from collections.abc import Mapping
from typing import Any

from lstm_jax.train.data import sentiment
from lstm_jax.train.look import Look
from lstm_jax.train.problem import Ask, Problem
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.evaluate import measure
from lstm_jax.train.tasks.classify.held_out import examples_to_read
from lstm_jax.train.tasks.classify.own import look_at_own
from lstm_jax.train.tasks.classify.predict import ClassifyOptions, classify
from lstm_jax.train.tasks.classify.run import PICTURE, ClassifyRun
from lstm_jax.train.tasks.classify.sentiment import make_sentiment_task


def of_sentiment(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the configuration of an older run, when film reviews were a problem of their own."""
    return {**values, "data": "sentiment"}


def look(config: ClassifyConfig, given: object = None) -> Look[ClassifyConfig]:
    """Load the data that a configuration names, and build the task; see `look_at_own`."""
    if config.data == "own":
        return look_at_own(config, given)
    return Look(config, make_sentiment_task(config))


CLASSIFY = Problem(
    name="classify",
    config=ClassifyConfig,
    look=look,
    network="SequenceClassifier",
    evaluate=measure,
    reads_files=True,
    picture=PICTURE,
    rows=examples_to_read,
    asks={"predict": Ask(ClassifyOptions, classify)},
    run=ClassifyRun,
    data={"sentiment": sentiment.describe},
    before={"sentiment": of_sentiment},
)
