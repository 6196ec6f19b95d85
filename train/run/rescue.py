"""Move a run elsewhere when its folder cannot be written any more, as on a full disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lstm_jax.train.run.checkpoints import CheckpointError
from lstm_jax.train.run.lock import LOCK


class Place:
    """Where a run writes what must not be lost.

    Attributes:
        folder: the run's own, or a copy of it elsewhere.
        trouble: why it is elsewhere; None while the run's own folder can be written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.trouble: Exception | None = None

    def write(self, write: Callable[[Path], None]) -> None:
        """Write to the folder, or to a copy of it where that fails.

        Args:
            write: writes to the folder that it is given.

        Raises:
            CheckpointError: it cannot be written anywhere.
        """
        try:
            write(self.folder)
        except (CheckpointError, OSError) as error:
            self.trouble = self.trouble or error
            self.folder = self._elsewhere(write)

    def left(self, step: int) -> CheckpointError:
        """Make the error that ends a run which had to move.

        Args:
            step: after which it was saved.
        """
        return CheckpointError(
            f"{self.trouble}; the run was saved after step {step:,} in {self.folder}: go on with "
            f"--resume --out {self.folder}"
        )

    def _elsewhere(self, write: Callable[[Path], None]) -> Path:
        places = [self.folder.absolute().parent, Path(tempfile.gettempdir())]
        for copy in _copies(self.folder, places):
            try:
                write(copy)
                return copy
            except (CheckpointError, OSError):
                shutil.rmtree(copy, ignore_errors=True)
        tried = " nor in ".join(map(str, places))
        raise CheckpointError(
            f"{self.trouble}; nor could it be saved in {tried}: what was learned since then is lost"
        )


def _copies(folder: Path, places: list[Path]) -> Iterator[Path]:
    """Copy a run, but for its latest checkpoints, which are about to be written, to each place."""
    left_out = shutil.ignore_patterns("latest", "latest.*", LOCK, "*.partial.*")
    for place in places:
        try:
            copy = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=place))
        except OSError:
            continue
        try:
            shutil.copytree(folder, copy, ignore=left_out, dirs_exist_ok=True)
            yield copy
        except OSError:
            shutil.rmtree(copy, ignore_errors=True)
