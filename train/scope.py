"""The data that a trained model is evaluated on, and the form of the result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from lstm_jax.models.storage import ModelError

Told: TypeAlias = tuple[dict[str, object], str]
"""The figures as JSON values, and the same figures as text: a line or a table."""


class Scope(NamedTuple):
    """Describe the data to evaluate a trained model on.

    Args:
        split: "train", "valid" or "test", a split of the data that the run used.
        file: a file like those the model was trained on, instead of a split.
        rows: the number of texts read side by side.
        picture: the file to draw a picture to; None draws no picture.
        backtest: the number of successive origins to forecast from; 0 for those of the split.
        given: the frame or texts that `fit` was called with, instead of a file.
        dynamic: whether a language model keeps learning from the text that it is evaluated on.
    """

    split: str
    file: Path | None = None
    rows: int = 48
    picture: Path | None = None
    backtest: int = 0
    given: object = None
    dynamic: bool = False


@contextmanager
def drawing(picture: Path) -> Iterator[None]:
    """Report in one line that matplotlib is missing, or that a picture cannot be written.

    Args:
        picture: the file to draw to.

    Raises:
        ModelError: if an import fails, or the file cannot be written.
    """
    try:
        yield
    except ImportError as error:
        raise ModelError(str(error)) from None
    except OSError as error:
        raise ModelError(f"{picture} cannot be written: {error.strerror}") from None
