"""What the commands know of a kind of problem: one record, which its folder in tasks/ fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from lstm_jax.models.storage import Stored
from lstm_jax.report.rows import Rows, Texts
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.look import Look
from lstm_jax.train.runs import Run
from lstm_jax.train.scope import Scope, Told

C = TypeVar("C", bound=TrainConfig)
O = TypeVar("O")  # noqa: E741


class Answer(NamedTuple):
    """`figures` for JSON, what is `said` to a person, and `notes` for stderr."""

    figures: dict[str, object]
    said: str
    notes: list[str]


class Ask(NamedTuple, Generic[O]):
    """What can be asked of a trained model by a command, and what answers.

    `options`: a dataclass whose first field is the positional `model`, and which has a field
    `json`; the command line is made of it. `answer(options)` may raise any `UserError`; its
    docstring is the command's description.
    """

    options: type[O]
    answer: Callable[[O], Answer]


@dataclass(frozen=True)
class Problem(Generic[C]):
    """A kind of problem.

    Attributes:
        name: as a run's config.json has it, under "kind".
        config: the class of its configurations.
        look: `look(config, given)` loads the data, from `given` (a frame, texts) where it is not
            None, fills in what was left open, and makes the task; it may raise a DataError.
        network: the class of its models, as model.json has it.
        evaluate: `evaluate(stored, config, scope)`; may raise a ModelError or DataError.
        reads_files: whether it can be judged on `scope.file`.
        picture: the name of the file that `scope.picture` is drawn to; "" where it draws none.
        backtests: whether it knows what `scope.backtest` is.
        dynamic: whether it knows what `scope.dynamic` is.
        asks: a command, "predict" or "forecast" -> what it asks of one of the models.
        run: what `fit` and `load` give of one of its runs.
        rows: `rows(stored, config, count, steps)` gives data that a model did not learn from, for
            `lstm-jax diagnose`: at most so many sequences, of at most so many steps; may raise a
            ModelError or DataError.
        data: name of each of its data sets -> what loads and describes it.
        before: names that it once had in config.json -> what makes those values today's.
    """

    name: str
    config: type[C]
    look: Callable[[C, object], Look[C]]
    network: str
    evaluate: Callable[[Stored, C, Scope], Told]
    reads_files: bool = False
    picture: str = ""
    backtests: bool = False
    dynamic: bool = False
    asks: Mapping[str, Ask[Any]] = field(default_factory=dict)
    run: type[Run[Any]] = Run
    rows: Callable[[Stored, C, int, int], Rows | Texts] | None = None
    data: Mapping[str, Callable[[], Told]] = field(default_factory=dict)
    before: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = field(
        default_factory=dict
    )
