"""The loop a person watches: progress, metrics, validation, checkpoints, signals."""

from __future__ import annotations

import importlib.util
import math
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lstm_jax.train import problems
from lstm_jax.train.config import ConfigError, TrainConfig
from lstm_jax.train.folder import CHECKPOINTS, CONFIG, check_checkpoint
from lstm_jax.train.folder import prepare as prepare  # what comes before `train`
from lstm_jax.train.run import checkpoints, lock, processes
from lstm_jax.train.run.audience import quiet_where_nobody_listens
from lstm_jax.train.run.checkpoints import DamagedError
from lstm_jax.train.run.devices import Devices, make_devices
from lstm_jax.train.run.health import make_health
from lstm_jax.train.run.heartbeat import Heartbeat
from lstm_jax.train.run.machine import elsewhere, platform
from lstm_jax.train.run.meter import DivergedError, Meter, cut
from lstm_jax.train.run.precision import at_precision
from lstm_jax.train.run.rescue import Place
from lstm_jax.train.run.state import TrainState, all_finite, make_optimizer, make_state
from lstm_jax.train.run.update import make_update
from lstm_jax.train.run.writers import Writer
from lstm_jax.train.task import M, Task, Validation


@dataclass(frozen=True)
class Result:
    """How a run stands: `finished` is False where a signal or `max_steps` stopped it.

    A run that solved its problem, or ran out of patience, is finished before its last epoch.

    `best_valid_loss` is that of the model that was kept, the run's best or the one that solved it.
    `signal` is the number of the signal that stopped it, if one did.
    """

    step: int
    finished: bool
    best_valid_loss: float | None
    signal: int | None = None


def train(
    config: TrainConfig,
    folder: Path,
    *,
    task: Task[M] | None = None,
    facts: Mapping[str, object] | None = None,
    console: Console | None = None,
    devices: Devices | None = None,
    writers: Sequence[Writer] = (),
) -> Result:
    """Train, or go on with, the run in a prepared folder, until done or told to stop.

    SIGINT, SIGTERM and SIGHUP are answered after the step in flight: the latest checkpoint is
    written and the run returns unfinished. Going on from it gives the same bits as never having
    stopped.

    Where several processes train together, each of them calls this, with a folder that all of them
    see; the first alone speaks, and writes what Orbax does not.

    Args:
        config: checked and written by `prepare`.
        folder: of the run.
        task: what `make_task(config)` gives, if it is at hand.
        facts: more for the model's card, such as the command.
        console: where progress goes. If it goes away, the run does not.
        devices: to spread the run over: what `make_devices()` gives if None.
        writers: what else is told the figures of metrics.jsonl.

    Raises:
        DataError, CheckpointError, ConfigError: one line each. A run whose folder cannot be written
            any more is saved elsewhere first, and the error says where.
        DivergedError: the loss is no finite number any more; the latest checkpoint is sound.
        LockedError: another process trains in the folder.
    """
    console = quiet_where_nobody_listens(console or Console())
    task = task or problems.make_task(config)
    devices = devices or make_devices()
    if not processes.is_first():
        return _train(config, folder, task, facts or {}, Console(quiet=True), devices, ())
    try:
        with lock.held(folder) as before:
            if before:
                console.print(f"{before}, ended without letting go of {folder}", soft_wrap=True)
            if problems.load(folder / CONFIG) != config:
                raise ConfigError(
                    f"{folder} was given to another run meanwhile: give another --out"
                )
            return _train(config, folder, task, facts or {}, console, devices, writers)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error}: give another --out") from None


def _train(
    config: TrainConfig,
    folder: Path,
    task: Task[M],
    facts: Mapping[str, object],
    console: Console,
    devices: Devices,
    writers: Sequence[Writer],
) -> Result:
    first = processes.is_first()
    epoch, batches = 0, task.epoch(0)
    devices.check(batches)
    per_epoch = len(batches)
    total_steps = per_epoch * config.epochs
    model = task.model(nnx.Rngs(config.seed))
    optimizer, schedule = make_optimizer(config.optimizer, total_steps)
    state = make_state(model, optimizer, task.carry(model))
    latest = folder / CHECKPOINTS / "latest"
    here = platform(str(devices))
    state = devices.put(state)
    standing: dict[str, Any] | None = None
    if first and checkpoints.exists(latest):
        standing = _newest_whole(latest, state, console)
        check_checkpoint(latest, standing, config, task)
        for line in elsewhere(standing, here):
            console.print(line, soft_wrap=True)
    standing = processes.tell(standing)
    if standing is not None:
        state, _ = checkpoints.load(latest, state)
    step = int(state.step)
    if first:
        for said in cut(folder, step):
            console.print(said, soft_wrap=True)
    standing = standing or {}
    best: float | None = standing.get("best_valid_loss")
    # Checkpoints written before there were these have none of them.
    solved, waited = standing.get("solved", False), standing.get("waited", 0)
    loss = at_precision(task.loss, config.precision)
    update = make_update(loss, model, optimizer, config.seed, devices)
    clip_norm = config.optimizer.clip_norm
    health = make_health(
        task.loss, model, optimizer, config.seed,
        initial_state=task.initial_state, clip_norm=clip_norm, precision=config.precision,
        devices=devices,
    )  # fmt: skip
    validate = task.validator(model)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    console.print(
        f"{task.description}, {parameters:,} parameters, {per_epoch:,} steps an epoch, "
        f"{total_steps:,} in all" + (f"; going on from step {step:,}" if step else ""),
        soft_wrap=True,
    )

    whose = {"config": problems.to_dict(config), "platform": here, **task.identity}

    place = Place(folder)

    def keep(name: str) -> None:
        if not all_finite(state.params):
            raise DivergedError(f"the parameters are not finite after step {step:,}")
        verdict = {"best_valid_loss": best, "solved": solved, "waited": waited}
        metadata = {**verdict, "meter": meter.held(), **whose}
        old = name == "latest" and config.keep > 1

        def write(at: Path) -> None:
            checkpoints.save(at / CHECKPOINTS / name, state, metadata=metadata, keep_old=old)

        if devices.several:
            write(folder)  # all of them at once, so that nowhere else could one save it alone
        else:
            place.write(write)
            meter.move(place.folder)

    def over() -> bool:
        return solved or (config.patience is not None and waited >= config.patience)

    last = total_steps if config.max_steps is None else min(config.max_steps, total_steps)
    with _progress(console) as progress, _stop_signals() as stopped:
        bar = progress.add_task("compiling the first step", total=last, completed=step)
        heart = None
        if progress.disable:  # nobody sees the bar
            console.print("compiling the first step")
            heart = Heartbeat(console, first=step, total=last)
        asked = processes.make_asked(stopped)
        meter = Meter(
            folder if first else None, task, schedule,
            clip_norm=clip_norm, held=standing.get("meter", {}),
            console=console, progress=progress, bar=bar, heart=heart, writers=writers,
        )  # fmt: skip
        try:
            while step < last and not (over() or place.trouble or asked()):
                if step // per_epoch != epoch:
                    epoch = step // per_epoch
                    batches = task.epoch(epoch)
                batch = devices.batch(batches, step % per_epoch)
                step += 1
                looked = None
                if _due(step, config.health_every):
                    looked = processes.in_order(health(state, batch))
                state, metrics = processes.in_order(update(state, batch))
                meter.add(step, metrics, looked, flush=step % config.log_every == 0)
                if step % per_epoch == 0:
                    meter.flush()
                    params = devices.whole(state.judged)
                    found = Validation(*processes.tell(validate(params, step)))
                    if not math.isfinite(found.loss):
                        raise DivergedError(
                            f"the validation loss is {found.loss} after step {step:,}"
                        )
                    meter.write(step, valid_loss=found.loss, **found.figures)
                    console.print(f"epoch {step // per_epoch}: {found.said}", soft_wrap=True)
                    solved, waited = found.solved, waited + 1
                    if best is None or found.loss < best or solved:
                        best, waited = found.loss, 0
                        keep("best")
                        nnx.update(model, params)
                        card = {
                            **task.facts,
                            "parameters": parameters,
                            "steps": step,
                            **found.figures,
                            "config": whose["config"],
                            **facts,
                        }
                        if first:
                            place.write(lambda at, card=card: task.save(model, at, card))
                    elif over():
                        console.print(f"no better for {waited} validations: the run ends")
                    meter.restart()
                if step % per_epoch == 0 or _due(step, config.checkpoint_every):
                    keep("latest")
            meter.flush()
            keep("latest")
        except DivergedError as error:
            raise DivergedError(f"{error}: the run diverged; {_way_on(folder, config)}") from None
    if place.trouble is not None:
        raise place.left(step)
    finished = step >= total_steps or over()
    number = stopped[0] if stopped else None
    if step < last and not over():
        number = number or signal.SIGTERM  # another of the processes was told to stop
    return Result(step, finished, best, number)


def _newest_whole(latest: Path, state: TrainState, console: Console) -> dict[str, Any]:
    """Find the newest checkpoint that is as it was written; damaged ones are set aside."""
    while True:
        try:
            return checkpoints.verify(latest, state)
        except DamagedError as error:
            if not checkpoints.has_older(latest):
                raise
            aside = checkpoints.set_aside(latest)
            console.print(
                f"{error}: it was moved to {aside}, and the one before it is taken", soft_wrap=True
            )


def _way_on(folder: Path, config: TrainConfig) -> str:
    """Say how to go on with a run that diverged."""
    rate = f"--optimizer.learning-rate {config.optimizer.learning_rate / 4:g}"
    if checkpoints.exists(folder / CHECKPOINTS / "best"):
        return f"go on from its best checkpoint with --resume-from best {rate}, or start anew"
    return f"it has no validated checkpoint yet: start anew with --overwrite {rate}"


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not (console.is_terminal or _in_a_notebook(console)),
    )


def _in_a_notebook(console: Console) -> bool:
    # There Rich draws its bar with ipywidgets, and warns where they are not installed.
    return console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that is filled when a signal to stop comes; a second SIGINT is not held back."""
    received: list[int] = []

    def note(number, frame):
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []  # Windows has none
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
