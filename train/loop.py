"""The training loop: progress, metrics, validation, checkpoints and signals."""

from __future__ import annotations

import importlib.util
import math
import signal
import threading
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
from lstm_jax.train.folder import prepare as prepare  # called before `train`
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
    """Describe how a run ended.

    Attributes:
        step: the number of steps taken.
        finished: False if a signal or `max_steps` stopped the run. A run that solved its problem or
            ran out of patience counts as finished.
        best_valid_loss: the validation loss of the saved model, which is the best of the run or the
            one that solved the problem.
        signal: the number of the signal that stopped the run, if one did.
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
    """Start or resume the run in a prepared folder, and train until it ends or is stopped.

    On SIGINT, SIGTERM or SIGHUP the current step is completed, the latest checkpoint is saved, and
    the function returns an unfinished result. Resuming from that checkpoint gives the same bits as
    a run that never stopped.

    If several processes train together, each of them calls this function with a folder that all of
    them share. Only the first one prints, and writes the files that Orbax does not write.

    Args:
        config: the configuration that `prepare` checked and wrote.
        folder: the run's folder.
        task: the result of `make_task(config)`, if the caller already has it.
        facts: further entries for the model's card, such as the command.
        console: where progress is printed. The run goes on even if the console is closed.
        devices: the devices to spread the run over; `make_devices()` if None.
        writers: objects that also receive the figures of metrics.jsonl.

    Returns:
        How the run ended.

    Raises:
        DataError, CheckpointError, ConfigError: in one line each. If the folder can no longer be
            written, the run is first saved elsewhere, and the message says where.
        DivergedError: if the loss is no longer finite; the latest checkpoint is intact.
        LockedError: if another process is training in the folder.
    """
    console = quiet_where_nobody_listens(console or Console())
    task = task or problems.make_task(config)
    devices = devices or make_devices()
    if not processes.is_first():
        return _train(config, folder, task, facts or {}, Console(quiet=True), devices, ())
    try:
        with lock.held(folder) as previous:
            if previous:
                console.print(f"{previous}, ended without releasing {folder}", soft_wrap=True)
            if problems.load(folder / CONFIG) != config:
                raise ConfigError(
                    f"another run has been started in {folder} meanwhile; choose another --out"
                )
            return _train(config, folder, task, facts or {}, console, devices, writers)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error}; choose another --out") from None


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
    saved: dict[str, Any] | None = None
    if first and checkpoints.exists(latest):
        saved = _newest_intact(latest, state, console)
        check_checkpoint(latest, saved, config, task)
        for line in elsewhere(saved, here):
            console.print(line, soft_wrap=True)
    saved = processes.tell(saved)
    if saved is not None:
        state, _ = checkpoints.load(latest, state)
    step = int(state.step)
    if first:
        for line in cut(folder, step):
            console.print(line, soft_wrap=True)
    saved = saved or {}
    best: float | None = saved.get("best_valid_loss")
    # Checkpoints saved by older versions lack these entries.
    solved, waited = saved.get("solved", False), saved.get("waited", 0)
    loss = at_precision(task.loss, config.precision)
    update = make_update(loss, model, optimizer, config.seed, devices)
    clip_norm = config.optimizer.clip_norm
    health = make_health(
        task.loss, model, optimizer, config.seed,
        initial_state=task.initial_state, clip_norm=clip_norm, precision=config.precision,
        devices=devices, exponents=config.health_exponents,
    )  # fmt: skip
    validate = task.validator(model)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    console.print(
        f"{task.description}, {parameters:,} parameters, {per_epoch:,} steps per epoch, "
        f"{total_steps:,} steps in total" + (f"; resuming from step {step:,}" if step else ""),
        soft_wrap=True,
    )

    identity = {"config": problems.to_dict(config), "platform": here, **task.identity}

    place = Place(folder)

    def keep(name: str) -> None:
        if not all_finite(state.params):
            raise DivergedError(f"the parameters are not finite after step {step:,}")
        verdict = {"best_valid_loss": best, "solved": solved, "waited": waited}
        metadata = {**verdict, "meter": meter.held(), **identity}
        keep_old = name == "latest" and config.keep > 1

        def write(at: Path) -> None:
            checkpoints.save(at / CHECKPOINTS / name, state, metadata=metadata, keep_old=keep_old)

        if devices.several:
            write(folder)  # all processes write together, so no single one could save it elsewhere
        else:
            place.write(write)
            meter.move(place.folder)

    def over() -> bool:
        return solved or (config.patience is not None and waited >= config.patience)

    last = total_steps if config.max_steps is None else min(config.max_steps, total_steps)
    with _progress(console) as progress, _stop_signals() as stopped:
        bar = progress.add_task("compiling the first step", total=last, completed=step)
        heart = None
        if progress.disable:  # there is no terminal to show the bar
            console.print("compiling the first step")
            heart = Heartbeat(console, first=step, total=last)
        stop_requested = processes.make_asked(stopped)
        meter = Meter(
            folder if first else None, task, schedule,
            clip_norm=clip_norm, held=saved.get("meter", {}),
            console=console, progress=progress, bar=bar, heart=heart, writers=writers,
        )  # fmt: skip
        try:
            while step < last and not (over() or place.trouble or stop_requested()):
                if step // per_epoch != epoch:
                    epoch = step // per_epoch
                    batches = task.epoch(epoch)
                batch = devices.batch(batches, step % per_epoch)
                step += 1
                reading = None
                if _due(step, config.health_every):
                    reading = processes.in_order(health(state, batch))
                state, metrics = processes.in_order(update(state, batch))
                meter.add(step, metrics, reading, flush=step % config.log_every == 0)
                if step % per_epoch == 0:
                    meter.flush()
                    params = devices.whole(state.judged)
                    validation = Validation(*processes.tell(validate(params, step)))
                    if not math.isfinite(validation.loss):
                        raise DivergedError(
                            f"the validation loss is {validation.loss} after step {step:,}"
                        )
                    meter.write(step, valid_loss=validation.loss, **validation.figures)
                    console.print(f"epoch {step // per_epoch}: {validation.said}", soft_wrap=True)
                    solved, waited = validation.solved, waited + 1
                    if best is None or validation.loss < best or solved:
                        best, waited = validation.loss, 0
                        keep("best")
                        nnx.update(model, params)
                        card = {
                            **task.facts,
                            "parameters": parameters,
                            "steps": step,
                            **validation.figures,
                            "config": identity["config"],
                            **facts,
                        }
                        if first:
                            place.write(lambda at, card=card: task.save(model, at, card))
                    elif over():
                        console.print(f"no improvement in {waited} validations; the run ends")
                    meter.restart()
                if step % per_epoch == 0 or _due(step, config.checkpoint_every):
                    keep("latest")
            meter.flush()
            keep("latest")
        except DivergedError as error:
            raise DivergedError(f"{error}: the run diverged; {_advice(folder, config)}") from None
    if place.trouble is not None:
        raise place.left(step)
    finished = step >= total_steps or over()
    number = stopped[0] if stopped else None
    if step < last and not over():
        number = number or signal.SIGTERM  # another process received the signal to stop
    return Result(step, finished, best, number)


def _newest_intact(latest: Path, state: TrainState, console: Console) -> dict[str, Any]:
    """Return the metadata of the newest intact checkpoint, and move damaged ones aside."""
    while True:
        try:
            return checkpoints.verify(latest, state)
        except DamagedError as error:
            if not checkpoints.has_older(latest):
                raise
            aside = checkpoints.set_aside(latest)
            console.print(
                f"{error}: it was moved to {aside}, and the previous checkpoint is used instead",
                soft_wrap=True,
            )


def _advice(folder: Path, config: TrainConfig) -> str:
    """Suggest how to continue a run that diverged."""
    rate = f"--optimizer.learning-rate {config.optimizer.learning_rate / 4:g}"
    if checkpoints.exists(folder / CHECKPOINTS / "best"):
        return f"resume its best checkpoint with --resume-from best {rate}, or start again"
    return f"it has no validated checkpoint yet; start again with --overwrite {rate}"


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
    # In a notebook Rich draws its bar with ipywidgets, and warns if they are not installed.
    return console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect the signals to stop in a list; a second SIGINT interrupts at once.

    Outside the main thread, such as in a web server, Python has no signals, and the list stays
    empty.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

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
