"""`lstm-jax train`: start or resume the run of a recipe."""

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
    """Configure the run's folder, its devices, and whether to resume."""

    out: Path | None = None
    """Folder of the run; runs/RECIPE by default."""
    resume: bool = False
    """Continue the run in the folder from its latest checkpoint."""
    resume_from: Literal["latest", "best"] = "latest"
    """Checkpoint to resume from; best allows new optimizer settings after the run diverged."""
    overwrite: bool = False
    """Delete the run in the folder and start again."""
    dry_run: bool = False
    """Look at the data, report what would be done, and stop."""
    log: Log | None = None
    """Also write the figures of metrics.jsonl for TensorBoard, in the run's folder."""
    mesh: tuple[str, ...] = ()
    """Devices to spread the run over: data=N splits each batch, model=M splits the matrices.
    A CPU is divided into that many devices, which share its cores."""
    distributed: bool = False
    """Train together with other processes, each started with the same command."""
    coordinator: str | None = None
    """HOST:PORT of process 0.
    By default it is read from the environment of Slurm, Kubernetes, Open MPI or a TPU pod."""
    processes: int | None = None
    """Number of processes that train together; by default read from the environment."""
    process: int | None = None
    """Number of this process, from 0; by default read from the environment."""
    engine: Literal["native", "fused"] | None = None
    """Engine that runs LSTMs on a CPU: native is compiled on first use, fused uses JAX alone.
    By default native is used if it can be compiled."""


def run(options: RunOptions, config: TrainConfig, recipe: str, words: Sequence[str]) -> None:
    """Train a recipe, then print how the run ended and how to resume it.

    Args:
        options: the options of the run.
        config: the recipe's configuration, with the changes of the command line.
        recipe: the name of the recipe.
        words: the words of the command line after the name.

    Raises:
        UserError: in one line, if the configuration, the data, the folder or another process is
            the problem.
        SystemExit: if a signal stopped the run, with 128 plus the number of the signal.
    """
    folder = options.out or RUNS / recipe
    with writing(options.log, folder) as writers, spread(
        options.mesh, distributed=options.distributed, coordinator=options.coordinator,
        count=options.processes, process=options.process,
    ) as devices:  # fmt: skip
        # The devices must be set up before anything is computed, so the engine comes after them.
        with processes.first_before_others():  # the others then use what the first one compiled
            _choose_engine(options.engine)
        quiet = not processes.is_first()  # only the first process prints
        console = Console(highlight=False, markup=False, emoji=False, quiet=quiet)
        resume = options.resume or options.resume_from == "best"
        look = fitting.look_at(config, resumed=folder if resume else None, console=console)
        if options.dry_run:
            console.print(f"{look.task.description}; dry run, nothing trained", soft_wrap=True)
            return
        facts = {"command": shlex.join([PROGRAM, "train", recipe, *words])}
        result = fitting.train(
            look, folder, resume=resume, overwrite=options.overwrite, source=options.resume_from,
            facts=facts, console=console, devices=devices, writers=writers,
        )  # fmt: skip
    if result.finished:
        message = f"done after {result.step:,} steps: {folder}"
    else:
        arguments = to_go_on(words, reached=result.step == look.config.max_steps)
        command = shlex.join([PROGRAM, "train", recipe, *arguments])
        message = f"stopped and saved after step {result.step:,}; resume with {command}"
    console.print(message, soft_wrap=True)
    if result.signal is not None:
        sys.exit(128 + result.signal)  # so that `train && evaluate` stops here


def _choose_engine(engine: str | None) -> None:
    """Select the engine that every layer uses."""
    if engine == "fused":
        os.environ[library.VARIABLE] = "0"
        library.forget()
    elif engine == "native":
        native.build()
    else:
        native.build_once(lambda line: print(line, file=sys.stderr))
