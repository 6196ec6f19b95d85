"""Move a run elsewhere when its folder can no longer be written, as on a full disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lstm_jax.train.run.checkpoints import CheckpointError
from lstm_jax.train.run.lock import LOCK


class Place:
    """Store where a run writes its checkpoints and model.

    Attributes:
        folder: the run's own folder, or a copy of it elsewhere.
        trouble: the error that made the run move; None while its own folder can be written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.trouble: Exception | None = None

    def write(self, write: Callable[[Path], None]) -> None:
        """Write to the folder, or to a copy of it elsewhere if that fails.

        Args:
            write: a function that writes to the folder passed to it.

        Raises:
            CheckpointError: if no folder can be written.
        """
        try:
            write(self.folder)
        except (CheckpointError, OSError) as error:
            self.trouble = self.trouble or error
            self.folder = self._elsewhere(write)

    def left(self, step: int) -> CheckpointError:
        """Build the error that ends a run which had to move.

        Args:
            step: the step after which the run was saved.
        """
        return CheckpointError(
            f"{self.trouble}; the run was saved after step {step:,} in {self.folder}; resume it "
            f"with --resume --out {self.folder}"
        )

    def _elsewhere(self, write: Callable[[Path], None]) -> Path:
        places = [self.folder.absolute().parent, Path(tempfile.gettempdir())]
        for copy in _copies(self.folder, places):
            try:
                write(copy)
                return copy
            except (CheckpointError, OSError):
                shutil.rmtree(copy, ignore_errors=True)
        tried = " or ".join(map(str, places))
        raise CheckpointError(
            f"{self.trouble}; the run could not be saved in {tried} either, so the training since "
            "its last checkpoint is lost"
        )


def _copies(folder: Path, places: list[Path]) -> Iterator[Path]:
    """Copy a run to each place, except the latest checkpoints, which are about to be written."""
    excluded = shutil.ignore_patterns("latest", "latest.*", LOCK, "*.partial.*")
    for place in places:
        try:
            copy = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=place))
        except OSError:
            continue
        try:
            shutil.copytree(folder, copy, ignore=excluded, dirs_exist_ok=True)
            yield copy
        except OSError:
            shutil.rmtree(copy, ignore_errors=True)
