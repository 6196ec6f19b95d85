"""A lock that allows one process at a time in a run's folder."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lstm_jax.errors import UserError

LOCK = "run.lock"


class LockedError(UserError, RuntimeError):
    """Report that another process is training in the folder."""


@contextmanager
def held(folder: Path) -> Iterator[str | None]:
    """Lock a folder for the duration of the block.

    The operating system releases the lock when the process ends, however it ends. A lock file that
    is left behind names the process that held the lock.

    Args:
        folder: the run's folder, which must exist.

    Yields:
        A description of the process that ended without removing its lock file, or None.

    Raises:
        LockedError: if another process holds the lock; the message says which one, on which host
            and since when.
        OSError: if the folder cannot be written.
    """
    path = folder / LOCK
    file = _locked(path)
    try:
        previous = _holder(file)
        file.seek(0)
        file.truncate()
        who = {"process": os.getpid(), "host": socket.gethostname(), "since": time.ctime()}
        file.write(json.dumps(who))
        file.flush()
        yield previous
    finally:
        # Remove the file before releasing the lock, so that no process mistakes it for a stale one.
        with suppress(OSError):  # a folder that can no longer be written is reported elsewhere
            path.unlink()
        file.close()


def _locked(path: Path) -> IO[str]:
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            _lock(file)
        except OSError:
            who = _holder(file) or "another process"
            file.close()
            raise LockedError(
                f"{path.parent} is in use by {who}; wait for it to end, or choose another --out"
            ) from None
        # The previous holder may have removed the file after it was opened here.
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()


def _lock(file: IO[str]) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(file: IO[str]) -> str | None:
    file.seek(0)
    try:
        who = json.loads(file.read())
        return f"process {who['process']} on {who['host']}, since {who['since']}"
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        return None
