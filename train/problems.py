"""Configuration -> its task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lstm_jax.train.config import (
    MemoryConfig,
    SentimentConfig,
    SeriesConfig,
    SpeechConfig,
    TextConfig,
    TrainConfig,
)
from lstm_jax.train.task import Task
from lstm_jax.train.tasks.memory.task import MemoryTask
from lstm_jax.train.tasks.sentiment.task import make_sentiment_task
from lstm_jax.train.tasks.series.task import make_series_task
from lstm_jax.train.tasks.speech.task import make_speech_task
from lstm_jax.train.tasks.text.task import make_text_task

TASKS: dict[type[TrainConfig], Callable[[Any], Task]] = {
    TextConfig: make_text_task,
    MemoryConfig: MemoryTask,
    SentimentConfig: make_sentiment_task,
    SpeechConfig: make_speech_task,
    SeriesConfig: make_series_task,
}
"""A configuration's class -> what makes its task."""


def make_task(config: TrainConfig) -> Task:
    """What a configuration asks to learn, its data loaded.

    Raises:
        DataError: data that is missing or altered.
        TypeError: a configuration of no known kind.
    """
    if type(config) not in TASKS:
        raise TypeError(f"there is no task for a {type(config).__name__}")
    return TASKS[type(config)](config)
