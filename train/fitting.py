"""The steps from a configuration to a run: look at the data, report the choices, train."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from lstm_jax.train import loop
from lstm_jax.train.config import ConfigError, TrainConfig, check
from lstm_jax.train.folder import CONFIG, Source
from lstm_jax.train.look import Look, as_before
from lstm_jax.train.loop import Result
from lstm_jax.train.problems import load, problem_of, to_dict
from lstm_jax.train.run import processes
from lstm_jax.train.run.devices import Devices
from lstm_jax.train.run.writers import Writer

C = TypeVar("C", bound=TrainConfig)


def look_at(
    config: C, given: object = None, *, resumed: Path | None = None, console: Console
) -> Look[C]:
    """Load the data, fill in the open fields, and print what was seen and chosen.

    If there are several processes, the first one looks before the others, so that they find the
    data already downloaded and prepared.

    Args:
        config: the configuration of a run.
        given: the data, if the configuration does not name a place to load them from.
        resumed: the folder of the run to resume, whose choices are kept; None for a new run.
        console: where the report is printed.

    Returns:
        The data, with the completed configuration.

    Raises:
        ConfigError: if a value is invalid.
        DataError: if the data are missing, altered, or cannot be trained on.
    """
    check(config)
    with processes.first_before_others():
        look = problem_of(config).look(config, given)
        if resumed is not None and (resumed / CONFIG).is_file():
            kept = as_before(config, look.chose, load(resumed / CONFIG))
            look = look if kept == config else problem_of(config).look(kept, given)
        check(look.config)
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
    """Prepare the run's folder and train on data that were looked at.

    Args:
        look: the result of `look_at`, which runs before the folder is touched because the data may
            be missing.
        folder: the run's folder.
        resume: whether to continue the run in the folder.
        overwrite: whether to delete the run in the folder first.
        source: the checkpoint to resume from.
        facts: further entries for the model's card, such as the command.
        console: where progress is printed.
        devices: the devices to spread the run over; a single one if None.
        writers: objects that also receive the figures of metrics.jsonl.

    Returns:
        How the run ended.

    Raises:
        ConfigError, LockedError: if the folder cannot be used, see `prepare`, or if this process
            has other data than the first one.
        DivergedError: if the loss is no longer finite.
        DataError, CheckpointError: in one line each.
    """
    # A mesh that does not fit must not cost the run that --overwrite deletes.
    if devices is not None and devices.mesh.size > 1:
        devices.check(look.task.epoch(0))
    if processes.is_first():
        loop.prepare(folder, look.config, resume=resume, overwrite=overwrite, source=source)
    text = json.dumps(to_dict(look.config))
    if processes.tell(text) != text:
        raise ConfigError(
            "this process has different data or a different command than the first process; start "
            "all processes with the same command on the same files"
        )
    return loop.train(
        look.config, folder, task=look.task, facts=facts, console=console, devices=devices,
        writers=writers,
    )  # fmt: skip
