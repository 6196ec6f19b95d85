"""Writers that receive a run's figures besides metrics.jsonl: TensorBoard, or your own.

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
"""Writers that come with the package."""


EVENTS = "events.out.tfevents.*"


class Writer(Protocol):
    """Receive the figures of a run as they are written."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...


class TensorBoard:
    """Write an event file for `tensorboard --logdir`."""

    def __init__(self, folder: Path):
        """Prepare to write; the file is created with the first figures.

        Args:
            folder: the run's folder.

        Raises:
            ConfigError: if tensorboardX is not installed.
        """
        try:
            from tensorboardX import event_file_writer, summary

            event_pb2: Any = importlib.import_module("tensorboardX.proto.event_pb2")
        except ImportError:
            raise ConfigError(
                "writing for TensorBoard needs the package tensorboardX, which is not installed; "
                'install it with: pip install "lstm_jax[tensorboard]"'
            ) from None
        # Its SummaryWriter would hand everything to another process, which a signal ends too early.
        self._open = partial(event_file_writer.EventsWriter, str(folder / "events"))
        self._event, self._scalar = event_pb2.Event, summary.scalar
        self._start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._file: Any = None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write figures and flush the file, so that they can be seen at once."""
        now = time.time()
        if self._file is None:
            self._file = self._open()
            # TensorBoard then hides what an earlier process wrote from this step on.
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
    """Open the writers that a command asks for, and close them at the end of the block.

    Args:
        log: the name of a writer, or None.
        folder: the run's folder.

    Yields:
        The writers.

    Raises:
        ConfigError: if the package that the writer needs is not installed.
    """
    if log is None:
        yield ()
        return
    writer = TensorBoard(folder)
    try:
        yield (writer,)
    finally:
        writer.close()
