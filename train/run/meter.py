"""The reports of a run while it trains: metrics.jsonl, health.jsonl and the progress bar."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import optax
from rich.console import Console
from rich.progress import Progress, TaskID

from lstm_jax.errors import UserError
from lstm_jax.files import write_whole
from lstm_jax.train.run.health import Health, figures
from lstm_jax.train.run.heartbeat import Heartbeat
from lstm_jax.train.run.update import StepMetrics
from lstm_jax.train.run.writers import Writer
from lstm_jax.train.task import M, Task

METRICS = "metrics.jsonl"
HEALTH = "health.jsonl"
ASIDE = ".aside"
HELD = ("total", "count", "norms", "steps", "skipped", "in_a_row", "clipped", "since_health")
MOST_SKIPPED = 5  # updates in a row: a single one is a bad batch, several are a lost run


class DivergedError(UserError, RuntimeError):
    """Report that the loss of a run is no longer finite."""

    code = 3


class Meter:
    """Average the metrics of steps and write them to `folder`, if there is one.

    The metrics of a step are fetched one step later, so that fetching does not stall the device.
    """

    def __init__(
        self,
        folder: Path | None,
        task: Task[M],
        schedule: optax.Schedule,
        *,
        clip_norm: float,
        held: Mapping[str, float],
        console: Console,
        progress: Progress,
        bar: TaskID,
        heart: Heartbeat | None = None,
        writers: Sequence[Writer] = (),
    ):
        self.heart, self.writers = heart, writers
        self.folder, self.task, self.schedule, self.clip_norm = folder, task, schedule, clip_norm
        self.console, self.progress, self.bar = console, progress, bar
        self.step: int | None = None  # the last one of this process
        self.pending: list[tuple[int, StepMetrics, Health | None]] = []
        self.total = self.count = self.norms = 0.0
        self.steps = self.clipped = self.since_health = self.skipped = self.in_a_row = 0
        vars(self).update(held)
        self.earlier = self.count  # counted by an earlier process, so not part of this one's speed
        self.unwritten: dict[str, str] = {}  # lines, by name of their file
        self.warned = False
        self.restart()

    def held(self) -> dict[str, float]:
        """Return the sums since the last line, so that a resumed run writes the same next line.

        Returns:
            The sums to save in a checkpoint, and to pass as `held` to the meter of a resumed run.
        """
        self._fetch(leave=0)
        return {name: getattr(self, name) for name in HELD}

    def restart(self) -> None:
        """Restart the clock that measures speed, after something other than training."""
        self.since = time.perf_counter()

    def add(self, step: int, metrics: StepMetrics, health: Health | None, *, flush: bool) -> None:
        """Add a step.

        Args:
            step: the number of the step.
            metrics: the metrics of the step, which are fetched one step later.
            health: the health of the step, if it was measured.
            flush: whether to write a line after this step.
        """
        self.pending.append((step, metrics, health))
        self._fetch(leave=1)
        self.progress.update(self.bar, completed=step)
        if flush:
            self.flush()

    def flush(self) -> None:
        """Write a line with the means since the last one, over the steps with a finite loss."""
        self._fetch(leave=0)
        # What an earlier process held belongs to a line that follows further steps.
        if self.step is None or not self.steps + self.skipped:
            return
        loss = self.total / max(self.count, 1) if self.steps else math.nan
        self.write(
            self.step,
            loss=loss,
            **self.task.figures(loss),
            grad_norm=self.norms / self.steps if self.steps else math.nan,
            learning_rate=float(np.asarray(self.schedule(self.step - 1))),
            **{f"{self.task.unit}_per_second": self._speed()},
            **({"skipped_steps": self.skipped} if self.skipped else {}),
        )
        self.total = self.count = self.norms = self.earlier = 0.0
        self.steps = self.skipped = 0
        self.restart()

    def write(self, step: int, **values: float) -> None:
        """Append a line to metrics.jsonl, and pass it to the other writers.

        Args:
            step: the step after which the values were measured.
            **values: the values, by name.
        """
        self._append(METRICS, {"step": step, **values})
        for writer in list(self.writers):
            try:
                writer.write(step, values)
            except OSError as error:  # such as a full disk, which must not end the run
                self.writers = [other for other in self.writers if other is not writer]
                self.console.print(
                    f"{type(writer).__name__} cannot write ({error}); training continues without "
                    "it",
                    soft_wrap=True,
                )

    def _fetch(self, leave: int) -> None:
        while len(self.pending) > leave:
            self.step, metrics, health = self.pending.pop(0)
            self._count(metrics)
            if health is not None:
                share = self.clipped / max(self.since_health, 1)
                line = {"step": self.step, "clipped_share": round(share, 4), **figures(health)}
                self._append(HEALTH, line)
                self.clipped = self.since_health = 0
            self._show()

    def _count(self, metrics: StepMetrics) -> None:
        if not bool(metrics.finite):
            self.skipped += 1
            self.in_a_row += 1
            if self.in_a_row == 1:
                self.console.print(
                    f"step {self.step:,}: the loss or its gradient is not finite; the update was "
                    "skipped",
                    soft_wrap=True,
                )
            if self.in_a_row >= MOST_SKIPPED:
                raise DivergedError(
                    f"the loss or its gradient was not finite in {self.in_a_row} steps in a row, "
                    f"up to step {self.step:,}"
                )
            return
        norm = float(metrics.grad_norm)
        self.in_a_row = 0
        self.total += float(metrics.total)
        self.count += float(metrics.count)
        self.norms += norm
        self.steps += 1
        self.clipped += norm > self.clip_norm
        self.since_health += 1

    def move(self, folder: Path) -> None:
        """Write to another folder from now on, beginning with lines that could not be written.

        Args:
            folder: a copy of the run's folder.
        """
        if folder != self.folder:
            self.folder = folder
            for name in list(self.unwritten):
                self._write(folder, name)

    def _append(self, name: str, values: dict[str, object]) -> None:
        """Append a line to a file, or keep it for later if the disk is full."""
        if self.folder is None:
            return
        line = json.dumps(_finite(values), allow_nan=False) + "\n"
        self.unwritten[name] = self.unwritten.get(name, "") + line
        self._write(self.folder, name)

    def _write(self, folder: Path, name: str) -> None:
        path, size = folder / name, 0
        try:
            size = path.stat().st_size if path.exists() else 0
            with path.open("a", encoding="utf-8") as file:
                file.write(self.unwritten[name])
            del self.unwritten[name]
        except OSError as error:
            with suppress(OSError):
                os.truncate(path, size)  # part of the lines may have been written
            if not self.warned:
                self.warned = True
                self.console.print(
                    f"{path} cannot be written ({error.strerror}); training continues, and the "
                    "lines will be written as soon as possible",
                    soft_wrap=True,
                )

    def _show(self) -> None:
        loss = self.total / max(self.count, 1)
        further = [f"{name} {value:.1f}" for name, value in self.task.figures(loss).items()]
        parts = [f"loss {loss:.4g}", *further, f"{self._speed():,.0f} {self.task.unit}/s"]
        self.progress.update(self.bar, description="  ".join(parts))
        if self.heart is not None and self.step is not None:
            self.heart.beat(self.step, ", ".join(parts))

    def _speed(self) -> float:
        return (self.count - self.earlier) / (time.perf_counter() - self.since)


def cut(folder: Path, step: int) -> list[str]:
    """Remove lines of steps that will be trained again, and an incomplete last line.

    Lines that are damaged or that the run did not write are moved to another file, so that nothing
    useful is lost. Each file is replaced atomically.

    Args:
        folder: the run's folder.
        step: the last step whose lines stay.

    Returns:
        Messages about lines that were moved; usually none.

    Raises:
        OSError: if a file cannot be read or written.
    """
    messages = []
    for path in (folder / METRICS, folder / HEALTH):
        if not path.exists():
            continue
        content = path.read_bytes()
        *lines, _ = content.split(b"\n")  # a line without its line feed is incomplete
        steps = [_step_of(line) for line in lines]
        kept = [
            line for line, at in zip(lines, steps, strict=True) if at is not None and at <= step
        ]
        foreign = [line for line, at in zip(lines, steps, strict=True) if at is None and line]
        if foreign:
            aside = path.with_name(path.name + ASIDE)
            with aside.open("ab") as file:
                file.write(b"".join(line + b"\n" for line in foreign))
            count = f"{len(foreign):,} line{'s' if len(foreign) > 1 else ''}"
            messages.append(
                f"moved {count} of {path.name} to {aside}: damaged, or not written by this run"
            )
        cleaned = b"".join(line + b"\n" for line in kept)
        if cleaned != content:
            write_whole(path, cleaned)
    return messages


def _step_of(line: bytes) -> float | None:
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return step if isinstance(step, int | float) else None


def _finite(values: object) -> object:
    """Replace infinities and NaN, which JSON does not have, by null."""
    if isinstance(values, dict):
        return {name: _finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
