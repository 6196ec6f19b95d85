"""The kinds of problems there are, and what is asked of them by their name in config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
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
    """Find the problem that a configuration is of.

    Args:
        config: of a class that one of `PROBLEMS` names.

    Raises:
        TypeError: a configuration of no known kind.
    """
    for problem in PROBLEMS.values():
        if problem.config is type(config):
            return problem
    raise TypeError(f"there is no problem whose configuration is a {type(config).__name__}")


def make_task(config: TrainConfig) -> Task[Any]:
    """Make what a configuration asks to learn, its data loaded.

    Args:
        config: checked.

    Raises:
        DataError: data that is missing or altered.
        TypeError: a configuration of no known kind.
    """
    return problem_of(config).look(config, None).task


def open_run(folder: str | Path, given: object = None) -> Run[Any]:
    """Open a run, or a released model.

    Args:
        folder: of the run, its name in `runs`, or the model's name.
        given: what it learned from, where that is no file.

    Returns:
        A run of the kind that its problem names.

    Raises:
        ModelError, ConfigError: no such model, or an altered one.
    """
    stored = storage.load(folder)
    config = from_dict(stored.card.get("config", {}))
    problem = problem_of(config)
    return problem.run(storage.find(folder), stored, config, problem.evaluate, given)


def to_dict(config: TrainConfig) -> dict[str, object]:
    """Give a configuration for JSON, with its kind.

    Args:
        config: of a known kind.

    Raises:
        TypeError: a configuration of no known kind.
    """
    return {"kind": problem_of(config).name, **asdict(config)}


def from_dict(values: object) -> TrainConfig:
    """Give back what `to_dict` was given.

    Args:
        values: an object of JSON; where it names no kind, it is of a text run, as before there
            were others.

    Raises:
        ConfigError: no object, an unknown kind, or a field that does not exist.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"the configuration is {values!r}, not an object")
    kind = values.get("kind", TEXT.name)
    own = {name: value for name, value in values.items() if name != "kind"}
    for problem in PROBLEMS.values():
        if kind == problem.name:
            return build(problem.config, own)
        if kind in list(problem.before):
            return build(problem.config, problem.before[kind](own))
    known = ", ".join(PROBLEMS)
    raise ConfigError(f"the configuration is of a kind {kind!r}; known are {known}")


def save(config: TrainConfig, path: Path) -> None:
    """Write a configuration as JSON, whole or not at all.

    Args:
        config: of a known kind.
        path: of the file.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path, json.dumps(to_dict(config), indent=2) + "\n")


def load(path: Path) -> TrainConfig:
    """Read a configuration that `save` wrote, or one of before there were kinds.

    Args:
        path: of the file.

    Raises:
        ConfigError: not JSON, of an unknown kind, or with a field that does not exist.
    """
    return from_dict(read(path))
