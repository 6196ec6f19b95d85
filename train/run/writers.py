"""Where a run's figures go beside metrics.jsonl: TensorBoard, or a writer of one's own.

class Wandb:
    def write(self, step, values):
        wandb.log(dict(values), step=step)

fit.text("novel.txt", writers=[Wandb()])
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from lstm_jax.train.config import ConfigError

Log: TypeAlias = Literal["tensorboard"]
"""The writers that come with the package."""


EVENTS = "events.out.tfevents.*"


class Writer(Protocol):
    """Take the figures of a run as they come."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...


class TensorBoard:
    """Write an event file, which `tensorboard --logdir` shows."""

    def __init__(self, folder: Path):
        """Prepare to write; no file is made before there is something to write.

        Args:
            folder: of the run.

        Raises:
            ConfigError: tensorboardX is not installed.
        """
        try:
            from tensorboardX import event_file_writer, summary

            event_pb2: Any = importlib.import_module("tensorboardX.proto.event_pb2")
        except ImportError:
            raise ConfigError(
                "TensorBoard's files are written by the package tensorboardX, which is missing; "
                'install it with: pip install "lstm_jax[tensorboard]"'
            ) from None
        # Not its SummaryWriter, which hands everything to a process that a signal would end first.
        self._open = partial(event_file_writer.EventsWriter, str(folder / "events"))
        self._event, self._scalar = event_pb2.Event, summary.scalar
        self._start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._file: Any = None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write figures, and let those who are looking see them at once."""
        now = time.time()
        if self._file is None:
            self._file = self._open()
            # What an earlier process wrote from this step on is not shown: it is done again.
            started = self._event(wall_time=now, step=step, session_log=self._start)
            self._file.write_event(started)
        for name, value in values.items():
            summary = self._scalar(name, value)
            self._file.write_event(self._event(wall_time=now, step=step, summary=summary))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


@contextmanager
def writing(log: Log | None, folder: Path) -> Iterator[tuple[Writer, ...]]:
    """Make the writers that a command asks for, and close them in the end.

    Args:
        log: the name of one, or None.
        folder: of the run.

    Raises:
        ConfigError: the package that it needs is not installed.
    """
    if log is None:
        yield ()
        return
    writer = TensorBoard(folder)
    try:
        yield (writer,)
    finally:
        writer.close()
