"""How a run goes, a line a minute, where no progress bar shows it: in a log, a pipe, a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console

EVERY = 60.0  # seconds


class Heartbeat:
    """Print a line where a minute went by without one."""

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
            first: the step that the run begins after.
            total: its last step.
            clock: seconds since some moment.
        """
        self.console, self.first, self.total, self.clock = console, first, total, clock
        self.began = self.last = clock()

    def beat(self, step: int, figures: str) -> None:
        """Print a line if it is time for one.

        Args:
            step: that was taken.
            figures: of the last steps, in words.
        """
        now = self.clock()
        if now - self.last < EVERY:
            return
        self.last = now
        left = (now - self.began) / max(step - self.first, 1) * (self.total - step)
        self.console.print(
            f"step {step:,} of {self.total:,}: {figures}, {duration(left)} left", soft_wrap=True
        )


def duration(seconds: float) -> str:
    """Say how long something takes: "45 s", "12 min", "3 h 20 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60} min"
