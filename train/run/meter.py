"""What a run tells while it learns: metrics.jsonl, health.jsonl, and the progress bar."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import optax
from rich.console import Console
from rich.progress import Progress, TaskID

from lstm_jax.train.run.health import Health, figures
from lstm_jax.train.run.update import StepMetrics
from lstm_jax.train.task import M, Task

METRICS = "metrics.jsonl"
HEALTH = "health.jsonl"


class Meter:
    """Means of steps, each step's metrics fetched a step after they were asked for."""

    def __init__(
        self,
        folder: Path,
        task: Task[M],
        schedule: optax.Schedule,
        *,
        clip_norm: float,
        console: Console,
        progress: Progress,
        bar: TaskID,
    ):
        self.folder, self.task, self.schedule, self.clip_norm = folder, task, schedule, clip_norm
        self.console, self.progress, self.bar = console, progress, bar
        self.pending: list[tuple[int, StepMetrics, Health | None]] = []
        self.total = self.count = self.norms = 0.0
        self.steps = self.clipped = self.since_health = 0
        self.warned = False
        self.restart()

    def restart(self) -> None:
        """Start the clock of speed again, after time that was not training."""
        self.since = time.perf_counter()

    def add(self, step: int, metrics: StepMetrics, health: Health | None, *, flush: bool) -> None:
        """Take note of a step; `flush` writes the line of means that ends with it.

        Args:
            step: its number.
            metrics: of the step; they are fetched a step later.
            health: the look at it, if there was one.
            flush: whether a line ends with it.
        """
        self.pending.append((step, metrics, health))
        self._fetch(leave=1)
        self.progress.update(self.bar, completed=step)
        if flush:
            self.flush()

    def flush(self) -> None:
        """Write one line of means since the last."""
        self._fetch(leave=0)
        if not self.steps:
            return
        loss = self.total / max(self.count, 1)
        speed = self.count / (time.perf_counter() - self.since)
        self.write(
            self.step,
            loss=loss,
            **self.task.figures(loss),
            grad_norm=self.norms / self.steps,
            learning_rate=float(np.asarray(self.schedule(self.step - 1))),
            **{f"{self.task.unit}_per_second": speed},
        )
        self.total = self.count = self.norms = 0.0
        self.steps = 0
        self.restart()

    def write(self, step: int, **values: float) -> None:
        """Append a line to metrics.jsonl.

        Args:
            step: after which it was measured.
            **values: by name.
        """
        _append(self.folder / METRICS, {"step": step, **values})

    def _fetch(self, leave: int) -> None:
        while len(self.pending) > leave:
            self.step, metrics, health = self.pending.pop(0)
            norm = float(metrics.grad_norm)
            self.total += float(metrics.total)
            self.count += float(metrics.count)
            self.norms += norm
            self.steps += 1
            self.clipped += norm > self.clip_norm
            self.since_health += 1
            if not (math.isfinite(norm) or self.warned):
                self.warned = True
                self.console.print(
                    f"the gradient's norm is {norm} at step {self.step:,}: the parameters may be "
                    "lost; try a lower --optimizer.learning-rate (this is said once)",
                    soft_wrap=True,
                )
            if health is not None:
                share = self.clipped / self.since_health
                line = {"step": self.step, "clipped_share": round(share, 4), **figures(health)}
                _append(self.folder / HEALTH, line)
                self.clipped = self.since_health = 0
            self._show()

    def _show(self) -> None:
        loss = self.total / max(self.count, 1)
        speed = self.count / (time.perf_counter() - self.since)
        said = [f"{name} {value:.1f}" for name, value in self.task.figures(loss).items()]
        shown = [f"loss {loss:.4g}", *said, f"{speed:,.0f} {self.task.unit}/s"]
        self.progress.update(self.bar, description="  ".join(shown))


def cut(folder: Path, step: int) -> None:
    """Drop the lines after a step that will be trained again, and a half-written last line.

    Args:
        folder: of the run.
        step: the last whose lines stay.
    """
    for path in (folder / METRICS, folder / HEALTH):
        if not path.exists():
            continue
        kept = []
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except ValueError:
                continue
        path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _append(path: Path, values: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")
