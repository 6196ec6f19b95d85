"""A line per minute on a run's progress where no bar shows it: in a log, a pipe, a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console

EVERY = 60.0  # seconds


class Heartbeat:
    """Print a progress line whenever a minute has passed since the last one."""

    def __init__(
        self,
        console: Console,
        *,
        first: int,
        total: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Start the clock.

        Args:
            console: where the lines go.
            first: the number of steps that earlier processes took.
            total: the run's last step.
            clock: a function that returns the time in seconds.
        """
        self.console, self.first, self.total, self.clock = console, first, total, clock
        self.began = self.last = clock()

    def beat(self, step: int, figures: str) -> None:
        """Print a line if it is time for one.

        Args:
            step: the number of steps taken.
            figures: a description of the last steps.
        """
        now = self.clock()
        if now - self.last < EVERY:
            return
        self.last = now
        remaining = (now - self.began) / max(step - self.first, 1) * (self.total - step)
        self.console.print(
            f"step {step:,} of {self.total:,}: {figures}, {duration(remaining)} left",
            soft_wrap=True,
        )


def duration(seconds: float) -> str:
    """Format a duration, such as "45 s", "12 min" or "3 h 20 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60} min"
