"""What a trained model is judged on, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeAlias

Told: TypeAlias = tuple[dict[str, object], str]
"""Figures for JSON, and what to say of them: a line, or a table."""


class Scope(NamedTuple):
    """What a trained model is judged on.

    Args:
        split: "train", "valid" or "test", of the data that it learned from.
        file: instead of a split, a file of the kind that the model learned from.
        rows: texts that are read side by side.
        picture: where to draw one; none is drawn if None.
        backtest: origins to forecast from, one after the other; 0 for those of the split.
        given: instead of a file, what `fit` was given: a frame, or texts.
        dynamic: let a language model go on learning from the running text that it is judged on.
    """

    split: str
    file: Path | None = None
    rows: int = 48
    picture: Path | None = None
    backtest: int = 0
    given: object = None
    dynamic: bool = False
