"""The run of a classifier, as returned by `fit.classify` and `load`."""

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
    """Run of a classifier, whatever its inputs."""

    def plot(self, split: str = "test", path: str | Path | None = None) -> Path:
        """Draw the reliability of its probabilities, and its confusion matrix.

        Args:
            split: split of the data that the model was trained on.
            path: path of the picture; reliability.png in the run's folder if None.

        Returns:
            The path of the picture.

        Raises:
            ModelError: if matplotlib is not installed.
            DataError: if data are missing or altered.
        """
        picture = Path(path) if path is not None else self.folder / PICTURE
        self.evaluate(split, picture=picture)
        return picture


@dataclass(frozen=True, repr=False)
class ClassifyRun(ClassifierRun[ClassifyConfig]):
    """Run of a classifier of texts or sequences, with a method to predict classes."""

    def predict(self, data: Any) -> Any:
        """Predict the classes of data.

        Args:
            data: a text; a list of texts, or of arrays (steps, columns); a frame, or the `Path` of
                a file, like the training data, in which classes may be missing.

        Returns:
            A `Prediction` for a text, or a list of them for a list. For a frame, a frame of the
            same library with its rows (or a row per sequence) and the columns "prediction",
            "probability", and "p_" with each class; for a file, the same as a dict of lists.
            Classes are texts.

        Raises:
            ModelError, DataError: if the data are not like the training data; the message names
                the place.
        """
        if isinstance(data, str):
            [prediction] = answer_each(self.stored, [data])
            return prediction
        if isinstance(data, Sequence | np.ndarray):
            return answer_each(self.stored, list(data))
        columns = answer_file(self.stored, self.config, data)
        return frame_like(columns, None if isinstance(data, Path) else data)


__all__ = ["ClassifierRun", "ClassifyRun", "Prediction"]
