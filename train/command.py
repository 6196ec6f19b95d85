"""`lstm-jax train`: a recipe, run or taken up."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from lstm_jax.arguments import PROGRAM, to_go_on
from lstm_jax.engines import native
from lstm_jax.engines.native import library
from lstm_jax.models.storage import RUNS
from lstm_jax.train import fitting
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.run import processes
from lstm_jax.train.run.writers import Log, writing
from lstm_jax.train.spread import spread


@dataclass(frozen=True)
class RunOptions:
    """Where the run goes, and what to do with one that is there."""

    out: Path | None = None
    """The run's folder. (runs/RECIPE if not given)"""
    resume: bool = False
    """Go on with the run in the folder from its latest checkpoint."""
    resume_from: Literal["latest", "best"] = "latest"
    """Go on with it from this checkpoint; from the best one with other settings of the optimizer,
    if you like, as after a run that diverged."""
    overwrite: bool = False
    """Delete the run in the folder and start anew."""
    dry_run: bool = False
    """Look at the data, say what would be done, and stop."""
    log: Log | None = None
    """Write the figures of metrics.jsonl for TensorBoard too, into the same folder."""
    mesh: tuple[str, ...] = ()
    """Devices to spread the run over: data=N splits each batch, model=M the matrices. A CPU becomes
    as many devices as that, which share its cores."""
    distributed: bool = False
    """Train together with other processes, to each of which the same command is given."""
    coordinator: str | None = None
    """HOST:PORT of process 0; found in the environment of Slurm, Kubernetes, Open MPI or a TPU pod
    if not given."""
    processes: int | None = None
    """How many processes train together; found likewise."""
    process: int | None = None
    """The number of this one, from 0; found likewise."""
    engine: Literal["native", "fused"] | None = None
    """What runs LSTMs on a CPU: native is compiled once, if need be, and must be there; fused is
    JAX alone. Without the option native is taken where it can be had."""


def run(options: RunOptions, config: TrainConfig, recipe: str, words: Sequence[str]) -> None:
    """Train a recipe, and say how it ended and how to go on.

    Args:
        options: as on the command line.
        config: the recipe's, with what the command line changes.
        recipe: its name.
        words: of the command line after that.

    Raises:
        UserError: one line: of the configuration, the data, the folder, or another process.
        SystemExit: with 128 and the signal's number, where one stopped the run.
    """
    folder = options.out or RUNS / recipe
    with writing(options.log, folder) as writers, spread(
        options.mesh, distributed=options.distributed, coordinator=options.coordinator,
        count=options.processes, process=options.process,
    ) as devices:  # fmt: skip
        # JAX's devices are chosen by now: before that, nothing may be computed.
        with processes.first_before_others():  # who then find what it compiled
            _choose_engine(options.engine)
        quiet = not processes.is_first()  # one speaks for all
        console = Console(highlight=False, markup=False, emoji=False, quiet=quiet)
        look = fitting.look_at(config, console=console)
        if options.dry_run:
            console.print(f"{look.task.description}: nothing was trained", soft_wrap=True)
            return
        facts = {"command": shlex.join([PROGRAM, "train", recipe, *words])}
        result = fitting.train(
            look, folder,
            resume=options.resume or options.resume_from == "best", overwrite=options.overwrite,
            source=options.resume_from, facts=facts, console=console, devices=devices,
            writers=writers,
        )  # fmt: skip
    if result.finished:
        said = f"done after {result.step:,} steps: {folder}"
    else:
        again = to_go_on(words, reached=result.step == look.config.max_steps)
        go_on = shlex.join([PROGRAM, "train", recipe, *again])
        said = f"stopped after step {result.step:,}, saved; go on with {go_on}"
    console.print(said, soft_wrap=True)
    if result.signal is not None:
        sys.exit(128 + result.signal)  # so that `train && evaluate` does not go on


def _choose_engine(engine: str | None) -> None:
    """See to it that the engine which was asked for is the one that every layer will take."""
    if engine == "fused":
        os.environ[library.VARIABLE] = "0"
        library.forget()
    elif engine == "native":
        native.build()
    else:
        native.build_once(lambda line: print(line, file=sys.stderr))
