"""The loop a person watches: progress, metrics, validation, checkpoints, signals."""

from __future__ import annotations

import importlib.util
import math
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jax
from flax import nnx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lstm_jax.models.storage import DESCRIPTION, WEIGHTS
from lstm_jax.train import problems
from lstm_jax.train.config import ConfigError, TrainConfig, check
from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.health import make_health
from lstm_jax.train.run.meter import HEALTH, METRICS, Meter, cut
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.run.update import make_update
from lstm_jax.train.task import M, Task

CONFIG = "config.json"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Result:
    """How a run stands: `finished` is False where a signal or `max_steps` stopped it.

    A run that solved its problem, or ran out of patience, is finished before its last epoch.

    `best_valid_loss` is that of the model that was kept, the run's best or the one that solved it.
    """

    step: int
    finished: bool
    best_valid_loss: float | None


def prepare(folder: Path, config: TrainConfig, *, resume: bool, overwrite: bool) -> TrainConfig:
    """Make the run's folder, or take up the run that is in it.

    Args:
        folder: of the run.
        config: of any kind; it is checked.
        resume: go on with the run that is there.
        overwrite: delete it first.

    Returns:
        The configuration, which now stands in the folder.

    Raises:
        ConfigError: a folder that holds a run, without `resume` or `overwrite`; a resume with
            another kind, model, data or batch; nothing to resume; a folder that is not a run's.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude one another")
    check(config)
    held = _holds_run(folder)
    if resume:
        if not (folder / CONFIG).is_file():
            raise ConfigError(f"there is no run to resume in {folder} (no {CONFIG})")
        _check_same_run(problems.load(folder / CONFIG), config, folder)
    elif held and not overwrite:
        raise ConfigError(
            f"{folder} already holds a run: give --resume, --overwrite or another --out"
        )
    elif folder.exists() and not held and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not a run's folder: give another --out")
    try:
        if held and overwrite:
            _delete_run(folder)
        folder.mkdir(parents=True, exist_ok=True)
        problems.save(config, folder / CONFIG)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}: give another --out") from None
    return config


def train(
    config: TrainConfig,
    folder: Path,
    *,
    task: Task[M] | None = None,
    facts: Mapping[str, object] | None = None,
    console: Console | None = None,
) -> Result:
    """Train, or go on with, the run in a prepared folder, until done or told to stop.

    SIGINT and SIGTERM are answered after the step in flight: the latest checkpoint is written
    and the run returns unfinished. Going on from it gives the same bits as never having stopped.

    Args:
        config: checked and written by `prepare`.
        folder: of the run.
        task: what `make_task(config)` gives, if it is at hand.
        facts: more for the model's card, such as the command.
        console: where progress goes.

    Raises:
        DataError, CheckpointError, ConfigError: one line each; a run that diverges is the last.
    """
    console = console or Console()
    task = task or problems.make_task(config)
    epoch, batches = 0, task.epoch(0)
    per_epoch = len(batches)
    total_steps = per_epoch * config.epochs
    model = task.model(nnx.Rngs(config.seed))
    optimizer, schedule = make_optimizer(config.optimizer, total_steps)
    state = make_state(model, optimizer, task.carry(model))
    latest = folder / CHECKPOINTS / "latest"
    best: float | None = None
    solved, waited = False, 0  # validations since the best
    if checkpoints.exists(latest):
        state, metadata = checkpoints.load(latest, state)
        for name, digest in task.identity.items():
            # Once, a digest of words was what stands before the dash today.
            if metadata[name] not in (digest, digest.partition("-")[0]):
                raise ConfigError(f"{latest} was trained with another {name} than the data gives")
        best = metadata["best_valid_loss"]
        # Runs of before there was a rule have none.
        solved, waited = metadata.get("solved", False), metadata.get("waited", 0)
    step = int(state.step)
    cut(folder, step)
    update = make_update(task.loss, model, optimizer, config.seed)
    clip_norm = config.optimizer.clip_norm
    health = make_health(
        task.loss, model, optimizer, config.seed,
        initial_state=task.initial_state, clip_norm=clip_norm,
    )  # fmt: skip
    validate = task.validator(model)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    console.print(
        f"{task.description}, {parameters:,} parameters, {per_epoch:,} steps an epoch, "
        f"{total_steps:,} in all" + (f"; going on from step {step:,}" if step else ""),
        soft_wrap=True,
    )

    def keep(where: Path) -> None:
        verdict = {"best_valid_loss": best, "solved": solved, "waited": waited}
        checkpoints.save(where, state, metadata={**verdict, **task.identity})

    def over() -> bool:
        return solved or (config.patience is not None and waited >= config.patience)

    last = total_steps if config.max_steps is None else min(config.max_steps, total_steps)
    with _progress(console) as progress, _stop_signals() as stopped:
        bar = progress.add_task("", total=last, completed=step)
        meter = Meter(
            folder, task, schedule,
            clip_norm=clip_norm, console=console, progress=progress, bar=bar,
        )  # fmt: skip
        while step < last and not over() and not stopped:
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                batches = task.epoch(epoch)
            batch = batches[step % per_epoch]
            step += 1
            looked = health(state, batch) if _due(step, config.health_every) else None
            state, metrics = update(state, batch)
            meter.add(step, metrics, looked, flush=step % config.log_every == 0)
            if step % per_epoch == 0:
                meter.flush()
                found = validate(state.params, step)
                if not math.isfinite(found.loss):
                    raise ConfigError(
                        f"the validation loss is {found.loss} after step {step:,}: the run "
                        "diverged and is not saved; try a lower --optimizer.learning-rate"
                    )
                meter.write(step, valid_loss=found.loss, **found.figures)
                console.print(f"epoch {step // per_epoch}: {found.said}", soft_wrap=True)
                solved, waited = found.solved, waited + 1
                if best is None or found.loss < best or solved:
                    best, waited = found.loss, 0
                    keep(folder / CHECKPOINTS / "best")
                    nnx.update(model, state.params)
                    card = {
                        **task.facts,
                        "parameters": parameters,
                        "steps": step,
                        **found.figures,
                        "config": problems.to_dict(config),
                        **(facts or {}),
                    }
                    task.save(model, folder, card)
                elif over():
                    console.print(f"no better for {waited} validations: the run ends")
                meter.restart()
            if step % per_epoch == 0 or _due(step, config.checkpoint_every):
                keep(latest)
        meter.flush()
        keep(latest)
    return Result(step, step >= total_steps or over(), best)


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
    """A list that is filled when SIGINT or SIGTERM comes; a second SIGINT is not held back."""
    received: list[int] = []

    def note(number, frame):
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _holds_run(folder: Path) -> bool:
    # Other programs write a config.json too, and what is in their folder is not ours to delete.
    try:
        problems.load(folder / CONFIG)
    except ConfigError:
        return False
    return True


def _delete_run(folder: Path) -> None:
    """Delete what a run writes, and nothing that somebody else put beside it."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    for name in (WEIGHTS, DESCRIPTION, METRICS, HEALTH, CONFIG):
        (folder / name).unlink(missing_ok=True)


def _check_same_run(old: TrainConfig, new: TrainConfig, folder: Path) -> None:
    # What may change on resume is how long to train and how often to write; the rest is the run.
    free = {"max_steps", "log_every", "health_every", "checkpoint_every", "epochs", "patience"}
    before, after = _flat(problems.to_dict(old)), _flat(problems.to_dict(new))
    if before.get("data_sha256") != after.get("data_sha256"):
        raise ConfigError(
            f"the data have changed since the run in {folder} began (their sha256 differs): give "
            "the same data, or start anew with another --out"
        )
    for name in before:
        if name not in free and before[name] != after[name]:
            raise ConfigError(
                f"the run in {folder} has {name} {before[name]!r}, not {after[name]!r}: resume "
                "with the same configuration, or start anew with another --out"
            )


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
