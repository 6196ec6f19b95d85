"""What the commands know of a kind of problem: one record, which its folder in tasks/ fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from lstm_jax.models.storage import Stored
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.task import Task

C = TypeVar("C", bound=TrainConfig)
O = TypeVar("O")  # noqa: E741

Told: TypeAlias = tuple[dict[str, object], str]
"""Figures for JSON, and what to say of them: a line, or a table."""


class Scope(NamedTuple):
    """What a trained model is judged on.

    Args:
        split: "train", "valid" or "test", of the data that it learned from.
        file: instead of a split, a UTF-8 file with one text a line.
        rows: texts that are read side by side.
        picture: where to draw one; none is drawn if None.
    """

    split: str
    file: Path | None = None
    rows: int = 48
    picture: Path | None = None


class Answer(NamedTuple):
    """`figures` for JSON, what is `said` to a person, and `notes` for stderr."""

    figures: dict[str, object]
    said: str
    notes: list[str]


class Prediction(NamedTuple, Generic[O]):
    """What can be asked of a trained model, and what answers.

    `options`: a dataclass with a field `json`; the command line is made of it. `answer(options)`
    may raise any `UserError`; its docstring is the command's description.
    """

    options: type[O]
    answer: Callable[[O], Answer]


@dataclass(frozen=True)
class Problem(Generic[C]):
    """A kind of problem.

    Attributes:
        name: as a run's config.json has it, under "kind".
        config: the class of its configurations.
        make_task: loads the data; may raise a DataError.
        network: the class of its models, as model.json has it.
        evaluate: `evaluate(stored, config, scope)`; may raise a ModelError or DataError.
        reads_files: whether it can be judged on `scope.file`.
        draws: whether it can draw `scope.picture`.
        predict: what can be asked of one of its models, if anything.
        data: name of each of its data sets -> what loads and describes it.
    """

    name: str
    config: type[C]
    make_task: Callable[[C], Task[Any]]
    network: str
    evaluate: Callable[[Stored, C, Scope], Told]
    reads_files: bool = False
    draws: bool = False
    predict: Prediction[Any] | None = None
    data: Mapping[str, Callable[[], Told]] = field(default_factory=dict)
