"""The registry of the kinds of problems, found by configuration or by name in config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from lstm_jax.files import write_whole
from lstm_jax.models import storage
from lstm_jax.train.config import ConfigError, TrainConfig, build, read
from lstm_jax.train.problem import Problem
from lstm_jax.train.runs import Run
from lstm_jax.train.task import Task
from lstm_jax.train.tasks.classify.problem import CLASSIFY
from lstm_jax.train.tasks.memory.problem import MEMORY
from lstm_jax.train.tasks.series.problem import SERIES
from lstm_jax.train.tasks.sounds.problem import SOUNDS
from lstm_jax.train.tasks.text.problem import TEXT

PROBLEMS: dict[str, Problem[Any]] = {
    problem.name: problem for problem in (TEXT, MEMORY, CLASSIFY, SOUNDS, SERIES)
}
"""Every kind of problem by its name."""


def problem_of(config: TrainConfig) -> Problem[Any]:
    """Return the problem that a configuration belongs to.

    Args:
        config: an instance of the configuration class of one of `PROBLEMS`.

    Raises:
        TypeError: if the configuration is of an unknown kind.
    """
    for problem in PROBLEMS.values():
        if problem.config is type(config):
            return problem
    raise TypeError(f"there is no problem whose configuration is a {type(config).__name__}")


def make_task(config: TrainConfig) -> Task[Any]:
    """Load the data of a configuration and build its task.

    Args:
        config: a valid configuration.

    Raises:
        DataError: if the data are missing or altered.
        TypeError: if the configuration is of an unknown kind.
    """
    return problem_of(config).look(config, None).task


def open_run(folder: str | Path, given: object = None) -> Run[Any]:
    """Open a run, or a released model.

    Args:
        folder: the run's folder, its name in `runs`, or the name of a released model.
        given: the data that the model was trained on, if they were not read from a file.

    Returns:
        The run, with the methods for its kind of problem.

    Raises:
        ModelError, ConfigError: if there is no such model, or it has been altered.
    """
    stored = storage.load(folder)
    config = from_dict(stored.card.get("config", {}))
    problem = problem_of(config)
    judge = partial(problem.measure, name=str(folder))
    return problem.run(storage.find(folder), stored, config, judge, given)


def to_dict(config: TrainConfig) -> dict[str, object]:
    """Convert a configuration to a dictionary for JSON, with its kind.

    Args:
        config: a configuration of a known kind.

    Raises:
        TypeError: if the configuration is of an unknown kind.
    """
    return {"kind": problem_of(config).name, **asdict(config)}


def from_dict(values: object) -> TrainConfig:
    """Build a configuration from a dictionary that `to_dict` returned.

    Args:
        values: a JSON object; without a kind it describes a text run, as in the oldest files.

    Raises:
        ConfigError: if `values` is not an object, has an unknown kind, or a field that does not
            exist.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"the configuration must be a JSON object, got {values!r}")
    kind = values.get("kind", TEXT.name)
    fields = {name: value for name, value in values.items() if name != "kind"}
    for problem in PROBLEMS.values():
        if kind == problem.name:
            return build(problem.config, fields)
        if kind in list(problem.before):
            return build(problem.config, problem.before[kind](fields))
    known = ", ".join(PROBLEMS)
    raise ConfigError(f"the configuration has an unknown kind {kind!r}; known kinds are {known}")


def save(config: TrainConfig, path: Path) -> None:
    """Write a configuration as JSON, atomically.

    Args:
        config: a configuration of a known kind.
        path: the path of the file.

    Raises:
        OSError: if the file cannot be written.
    """
    write_whole(path, json.dumps(to_dict(config), indent=2) + "\n")


def load(path: Path) -> TrainConfig:
    """Read a configuration that `save` wrote, in this version or an earlier one.

    Args:
        path: the path of the file.

    Raises:
        ConfigError: if the file is not JSON, has an unknown kind, or a field that does not exist.
    """
    return from_dict(read(path))
