"""Train the runs of a benchmark, and read what they wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lstm_jax.train import loop
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.task import Task


def train_or_resume(folder: Path, config: TrainConfig, task: Task[Any] | None = None) -> bool:
    """Train a run to its end, or resume it where it stopped.

    Args:
        folder: the folder of the run.
        config: its configuration.
        task: the task to learn; that of the configuration if None.

    Returns:
        Whether a run was resumed, so that its times do not cover all of it.

    Raises:
        SystemExit: if the run was stopped before its end.
    """
    resume = (folder / loop.CONFIG).is_file()
    config = loop.prepare(folder, config, resume=resume, overwrite=False)
    if not loop.train(config, folder, task=task).finished:
        raise SystemExit(f"{folder} was stopped; start the script again to resume it")
    return resume


def lines_of(folder: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    """Read a file of a run that has one JSON object per line."""
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def validations(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics that report a validation."""
    return [line for line in lines_of(folder) if "valid_loss" in line]
