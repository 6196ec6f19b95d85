"""Orbax, made silent where it fails, and patient where the clock jumps."""

from __future__ import annotations

import gc
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# Seconds that Orbax waits for its own threads, by the wall clock. A machine that has just learned
# the time may leap from 1970 to today, so nothing shorter than decades is safe.
PATIENCE = int(threading.TIMEOUT_MAX) // 2

LINGER = 5.0  # seconds that a thread of a save that failed may take to end


@contextmanager
def orbax() -> Iterator[ModuleType]:
    """Give Orbax, with nothing of it on the terminal while the block runs.

    Where a save fails, each of its threads logs a trace of its own, and what they leave unfinished
    warns when it is collected. The error that is raised says it all.

    Yields:
        The module `orbax.checkpoint.v1`, with its context set.
    """
    from orbax.checkpoint import v1 as ocp  # slow to import, and `--help` does not need it

    # After the import: a logger named absl that exists before absl does would break absl.
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    levels = [logger.level for logger in loggers]
    # Without directories made in the background there are no signals between threads, whose waits
    # have time limits that cannot be set.
    context = ocp.Context()
    context.asynchronous.timeout_secs = PATIENCE
    context.asynchronous.create_directories_asynchronously = False
    running = set(threading.enumerate())
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with context:
            yield ocp
    except Exception:
        _settle(running)
        raise
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _settle(running: set[threading.Thread]) -> None:
    """Let all that a failed save has begun come to its end, unheard.

    Args:
        running: the threads that were there before it.
    """
    for thread in set(threading.enumerate()) - running:
        thread.join(LINGER)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        gc.collect()
