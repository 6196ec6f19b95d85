"""From a configuration to a run: look at the data, say what was chosen, train."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError, TrainConfig, check
from lstm_jax.train.folder import Source
from lstm_jax.train.look import Look
from lstm_jax.train.loop import Result
from lstm_jax.train.problems import problem_of, to_dict
from lstm_jax.train.run import processes
from lstm_jax.train.run.devices import Devices
from lstm_jax.train.run.writers import Writer

C = TypeVar("C", bound=TrainConfig)


def look_at(config: C, given: object = None, *, console: Console) -> Look[C]:
    """Load the data, fill in what was left open, and say what was seen and chosen.

    Of several processes the first looks before the others, which then find downloaded and prepared
    what it has downloaded and prepared.

    Args:
        config: of a run.
        given: the data, where the configuration names no place to load them from.
        console: where it is said.

    Raises:
        ConfigError: a value that cannot be.
        DataError: data that is missing, altered, or cannot be learned from.
    """
    check(config)
    with processes.first_before_others():
        look = problem_of(config).look(config, given)
    if look.saw or look.chose:
        console.print(look.say(), soft_wrap=True)
    return look


def train(
    look: Look[C],
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    source: Source = "latest",
    facts: Mapping[str, object] | None = None,
    console: Console,
    devices: Devices | None = None,
    writers: Sequence[Writer] = (),
) -> Result:
    """Train what was looked at.

    Args:
        look: what `look_at` gives. It comes before the folder is touched: the data may be missing.
        folder: of the run.
        resume: go on with the run that is there.
        overwrite: delete it first.
        source: the checkpoint that a resume goes on from.
        facts: more for the model's card, such as the command.
        console: where progress goes.
        devices: to spread the run over; one if None.
        writers: what else is told the figures of metrics.jsonl.

    Raises:
        ConfigError, LockedError: a folder that cannot be used, as `prepare` says; other data than
            the first of several processes has.
        DivergedError: the loss is no finite number any more.
        DataError, CheckpointError: one line each.
    """
    if processes.is_first():
        loop.prepare(folder, look.config, resume=resume, overwrite=overwrite, source=source)
    mine = json.dumps(to_dict(look.config))
    if processes.tell(mine) != mine:
        raise ConfigError("this process has other data or another command than the first")
    return loop.train(
        look.config, folder, task=look.task, facts=facts, console=console, devices=devices,
        writers=writers,
    )  # fmt: skip
