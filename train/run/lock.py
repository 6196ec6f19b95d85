"""One process at a time in a run's folder."""

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
    """A folder that another process trains in."""


@contextmanager
def held(folder: Path) -> Iterator[str | None]:
    """Keep other processes out of a folder while the block runs.

    The operating system lets go of the lock when a process ends, however it ends; the file that is
    left behind then says who it was.

    Args:
        folder: of the run; it exists.

    Yields:
        Who held the folder and ended without letting go, or None.

    Raises:
        LockedError: another process holds it; the error says which, where and since when.
        OSError: the folder cannot be written.
    """
    path = folder / LOCK
    file = _locked(path)
    try:
        before = _holder(file)
        file.seek(0)
        file.truncate()
        who = {"process": os.getpid(), "host": socket.gethostname(), "since": time.ctime()}
        file.write(json.dumps(who))
        file.flush()
        yield before
    finally:
        # Removed while it is held, so that nobody finds it between the two and takes it for stale.
        with suppress(OSError):  # a folder that cannot be written any more has its own error
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
                f"{path.parent} is in use by {who}: wait until it has ended, or give another --out"
            ) from None
        # The one who held it may have removed the file between our opening and locking it.
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
