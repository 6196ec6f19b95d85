"""A classifier as `fit` and `load` give it: ask it, measure it, draw its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lstm_jax.train.data.tables import frame_like
from lstm_jax.train.runs import Run
from lstm_jax.train.tasks.classify.answers import Prediction, answer_each, answer_file
from lstm_jax.train.tasks.classify.config import ClassifierConfig, ClassifyConfig

PICTURE = "reliability.png"


C = TypeVar("C", bound=ClassifierConfig)


@dataclass(frozen=True, repr=False)
class ClassifierRun(Run[C]):
    """Hold what tells classes apart, whatever it reads, with the run that made it."""

    def plot(self, split: str = "test", path: str | Path | None = None) -> Path:
        """Draw how far its probabilities can be relied on, and what it takes for what.

        Args:
            split: of the data that it learned from.
            path: of the picture; reliability.png in the run's folder if None.

        Returns:
            The path.

        Raises:
            ModelError: no matplotlib to draw with.
            DataError: data that is missing or altered.
        """
        picture = Path(path) if path is not None else self.folder / PICTURE
        self.evaluate(split, picture=picture)
        return picture


@dataclass(frozen=True, repr=False)
class ClassifyRun(ClassifierRun[ClassifyConfig]):
    """Hold a trained classifier of texts or of sequences with the run that made it."""

    def predict(self, data: Any) -> Any:
        """Say of what class something is.

        Args:
            data: a text; a list of texts, or of arrays (steps, columns); a frame, or the `Path` of
                a file, like the one that it learned from, in which classes may be missing.

        Returns:
            A `Prediction` of a text, a list of them of a list; of a frame one of its library: its
            rows (of sequences a row each) with the columns "prediction", "probability", and "p_"
            with each class. Of a file that is a dict of lists. Classes are texts.

        Raises:
            ModelError, DataError: data of another kind than it learned from; it says where.
        """
        if isinstance(data, str):
            [found] = answer_each(self.stored, [data])
            return found
        if isinstance(data, Sequence | np.ndarray):
            return answer_each(self.stored, list(data))
        found = answer_file(self.stored, self.config, data)
        return frame_like(found, None if isinstance(data, Path) else data)


__all__ = ["ClassifierRun", "ClassifyRun", "Prediction"]
