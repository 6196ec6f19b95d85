"""The loop a person watches: progress, metrics, validation, checkpoints, signals."""

from __future__ import annotations

import json
import math
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lstm_jax.language_model import DESCRIPTION, WEIGHTS, LanguageModel
from lstm_jax.models import CharLM
from lstm_jax.train import checkpoints
from lstm_jax.train import config as configs
from lstm_jax.train.config import ConfigError, TrainConfig
from lstm_jax.train.evaluate import evaluate, make_scorer
from lstm_jax.train.state import make_optimizer, make_state
from lstm_jax.train.step import StepMetrics, make_update
from lstm_jax.train.tasks import TextTask, make_task

CONFIG = "config.json"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Result:
    """How a run stands: `finished` is False where a signal or `max_steps` stopped it."""

    step: int
    finished: bool
    best_valid_loss: float | None


def prepare(folder: Path, config: TrainConfig, *, resume: bool, overwrite: bool) -> TrainConfig:
    """Make the run's folder, or take up the run that is in it.

    Raises:
        ConfigError: a folder that holds a run, without `resume` or `overwrite`; a resume with
            another model, data or batch; nothing to resume; a folder that is not a run's.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude one another")
    configs.check(config)
    held = _holds_run(folder)
    if resume:
        if not (folder / CONFIG).is_file():
            raise ConfigError(f"there is no run to resume in {folder} (no {CONFIG})")
        _check_same_run(configs.load(folder / CONFIG), config, folder)
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
        configs.save(config, folder / CONFIG)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}: give another --out") from None
    return config


def train(
    config: TrainConfig,
    folder: Path,
    *,
    task: TextTask | None = None,
    facts: dict[str, Any] | None = None,
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
    task = task or make_task(config)
    epoch, windows = 0, task.epoch(0)
    per_epoch = len(windows)
    total_steps = per_epoch * config.epochs
    model = CharLM(len(task.vocabulary), config.model, rngs=nnx.Rngs(config.seed))
    optimizer, schedule = make_optimizer(config.optimizer, total_steps)
    state = make_state(model, optimizer, config.rows)
    latest = folder / CHECKPOINTS / "latest"
    best: float | None = None
    if checkpoints.exists(latest):
        state, metadata = checkpoints.load(latest, state)
        if metadata["vocabulary"] != task.vocabulary.digest:
            raise ConfigError(f"{latest} was trained with another vocabulary than the data gives")
        best = metadata["best_valid_loss"]
    step = int(state.step)
    _cut_metrics(folder / METRICS, step)
    update = make_update(model, optimizer, config.seed)
    scorer = make_scorer(model)
    validation = task.validation()
    empty = model.initial_state(config.rows)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    console.print(
        f"{config.data}: {len(task.train):,} texts, vocabulary {len(task.vocabulary):,}, "
        f"{parameters:,} parameters, {per_epoch:,} steps an epoch, {total_steps:,} in all"
        + (f"; going on from step {step:,}" if step else ""),
        soft_wrap=True,
    )

    def keep(where: Path) -> None:
        checkpoints.save(
            where, state, metadata={"best_valid_loss": best, "vocabulary": task.vocabulary.digest}
        )

    last = total_steps if config.max_steps is None else min(config.max_steps, total_steps)
    with (
        (folder / METRICS).open("a", encoding="utf-8") as log,
        _progress(console) as progress,
        _stop_signals() as stopped,
    ):
        meter = _Meter(log, schedule, progress, progress.add_task("", total=last, completed=step))
        while step < last and not stopped:
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                windows = task.epoch(epoch)
            state, metrics = update(state, windows[step % per_epoch])
            step += 1
            meter.add(step, metrics, flush=step % config.log_every == 0)
            if step % per_epoch == 0:
                meter.flush()
                score = evaluate(scorer, state.params, empty, validation)
                if not math.isfinite(score.nats):
                    raise ConfigError(
                        f"the validation loss is {score.nats} after step {step:,}: the run "
                        "diverged and is not saved; try a lower --optimizer.learning-rate"
                    )
                meter.write(
                    step, valid_loss=score.nats_per_symbol, valid_perplexity=score.perplexity
                )
                console.print(
                    f"epoch {step // per_epoch}: validation perplexity {score.perplexity:.2f} "
                    f"({score.nats_per_symbol:.4f} nats a symbol)",
                    soft_wrap=True,
                )
                if best is None or score.nats_per_symbol < best:
                    best = score.nats_per_symbol
                    keep(folder / CHECKPOINTS / "best")
                    nnx.update(model, state.params)
                    card = _card(config, task, parameters, step, score.perplexity, facts)
                    LanguageModel(model, task.vocabulary, card).save(folder)
                meter.restart()
            if step % per_epoch == 0 or (
                config.checkpoint_every and step % config.checkpoint_every == 0
            ):
                keep(latest)
        meter.flush()
        keep(latest)
    return Result(step, step >= total_steps, best)


class _Meter:
    """Metrics to the log and the progress bar, each fetched a step after it was asked for."""

    def __init__(self, log, schedule, progress: Progress, bar):
        self.log, self.schedule, self.progress, self.bar = log, schedule, progress, bar
        self.pending: list[tuple[int, StepMetrics]] = []
        self.nats = self.symbols = self.norms = 0.0
        self.steps = 0
        self.restart()

    def restart(self) -> None:
        """Start the clock of tokens a second again, after time that was not training."""
        self.since = time.perf_counter()

    def add(self, step: int, metrics: StepMetrics, *, flush: bool) -> None:
        self.pending.append((step, metrics))
        self._fetch(leave=1)
        self.progress.update(self.bar, completed=step)
        if flush:
            self.flush()

    def _fetch(self, leave: int) -> None:
        while len(self.pending) > leave:
            self.step, metrics = self.pending.pop(0)
            self.nats += float(metrics.nats)
            self.symbols += float(metrics.symbols)
            self.norms += float(metrics.grad_norm)
            self.steps += 1
            loss = self.nats / max(self.symbols, 1)
            speed = self.symbols / (time.perf_counter() - self.since)
            self.progress.update(
                self.bar,
                description=f"loss {loss:.3f}  perplexity {math.exp(min(loss, 50)):.1f}  "
                f"{speed:,.0f} tokens/s",
            )

    def flush(self) -> None:
        """Write one line of means since the last."""
        self._fetch(leave=0)
        if not self.steps:
            return
        loss = self.nats / max(self.symbols, 1)
        self.write(
            self.step,
            loss=loss,
            perplexity=math.exp(min(loss, 50)),
            grad_norm=self.norms / self.steps,
            learning_rate=float(self.schedule(self.step - 1)),
            tokens_per_second=self.symbols / (time.perf_counter() - self.since),
        )
        self.nats = self.symbols = self.norms = 0.0
        self.steps = 0
        self.restart()

    def write(self, step: int, **values: float) -> None:
        self.log.write(json.dumps({"step": step, **values}) + "\n")
        self.log.flush()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


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
        configs.load(folder / CONFIG)
    except ConfigError:
        return False
    return True


def _delete_run(folder: Path) -> None:
    """Delete what a run writes, and nothing that somebody else put beside it."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    for name in (WEIGHTS, DESCRIPTION, METRICS, CONFIG):
        (folder / name).unlink(missing_ok=True)


def _check_same_run(old: TrainConfig, new: TrainConfig, folder: Path) -> None:
    # What may change on resume is how long to train and how often to write; the rest is the run.
    free = {"max_steps", "log_every", "checkpoint_every", "epochs"}
    before, after = _flat(asdict(old)), _flat(asdict(new))
    for name in before:
        if name not in free and before[name] != after[name]:
            raise ConfigError(
                f"the run in {folder} has {name} {before[name]!r}, not {after[name]!r}: resume "
                "with the same configuration, or start anew with another --out"
            )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        nested = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def _cut_metrics(path: Path, step: int) -> None:
    """Drop the lines after a step that will be trained again, and a half-written last line."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except ValueError:
            continue
    path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _card(config, task, parameters, step, perplexity, facts) -> dict[str, Any]:
    return {
        **task.texts.facts,
        "parameters": parameters,
        "steps": step,
        "valid_perplexity": perplexity,
        "config": asdict(config),
        **(facts or {}),
    }
