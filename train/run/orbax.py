"""A wrapper around Orbax that is silent when it fails, and patient when the clock jumps."""

from __future__ import annotations

import gc
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# Seconds that Orbax waits for its own threads, by the wall clock. A machine that has just received
# the time may jump from 1970 to today, so only a limit of decades is safe.
PATIENCE = int(threading.TIMEOUT_MAX) // 2

LINGER = 5.0  # seconds that the threads of a failed save may take to end


@contextmanager
def orbax() -> Iterator[ModuleType]:
    """Import Orbax, and keep it from printing anything while the block runs.

    When a save fails, each of its threads logs a trace of its own, and their unfinished coroutines
    warn when they are collected. The exception that is raised already says everything.

    Yields:
        The module `orbax.checkpoint.v1`, in a suitable context.
    """
    from orbax.checkpoint import v1 as ocp  # slow to import, and `--help` does not need it

    # Only after the import, because a logger named absl that exists before absl would break it.
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    levels = [logger.level for logger in loggers]
    # Creating directories in the background would need signals between threads, which wait with
    # time limits that cannot be set.
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
    """Wait for everything that a failed save has started, and suppress its warnings.

    Args:
        running: the threads that were running before the save.
    """
    for thread in set(threading.enumerate()) - running:
        thread.join(LINGER)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        gc.collect()
