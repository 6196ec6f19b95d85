"""Configuration -> its task."""

from __future__ import annotations

from lstm_jax.train.config import MemoryConfig, TextConfig, TrainConfig
from lstm_jax.train.memory_tasks import MemoryTask
from lstm_jax.train.task import Task
from lstm_jax.train.text_tasks import make_text_task


def make_task(config: TrainConfig) -> Task:
    """What a configuration asks to learn, its data loaded.

    Raises:
        DataError: data that is missing or altered.
        TypeError: a configuration of no known kind.
    """
    if isinstance(config, TextConfig):
        return make_text_task(config)
    if isinstance(config, MemoryConfig):
        return MemoryTask(config)
    raise TypeError(f"there is no task for a {type(config).__name__}")
