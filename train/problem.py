"""The record that describes a kind of problem to the commands; its folder in tasks/ defines it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.report.rows import Rows, Texts
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.look import Look
from lstm_jax.train.runs import Run
from lstm_jax.train.scope import Scope, Told

SPLITS = ("train", "valid", "test")
C = TypeVar("C", bound=TrainConfig)
O = TypeVar("O")  # noqa: E741


class Answer(NamedTuple):
    """Store an answer: `figures` for JSON, the text that is `said`, and `notes` for stderr."""

    figures: dict[str, object]
    said: str
    notes: list[str]


class Ask(NamedTuple, Generic[O]):
    """Describe a question that a command puts to a trained model.

    `options` is a dataclass, from which the command line is built; its first field is the
    positional `model`, and it has a field `json`. `answer(options)` may raise any `UserError`; its
    docstring is the command's description.
    """

    options: type[O]
    answer: Callable[[O], Answer]


@dataclass(frozen=True)
class Problem(Generic[C]):
    """Describe a kind of problem.

    Attributes:
        name: the value of "kind" in a run's config.json.
        config: the class of its configurations.
        look: `look(config, given)` loads the data, from `given` (a frame or texts) unless that is
            None, fills in the open fields and builds the task; it may raise a DataError.
        network: the class of its models, as named in model.json.
        evaluate: `evaluate(stored, config, scope)` may raise a ModelError or DataError.
        reads_files: whether `evaluate` supports `scope.file`.
        picture: the name of the file for `scope.picture`; "" if it draws no picture.
        backtests: whether `evaluate` supports `scope.backtest`.
        dynamic: whether `evaluate` supports `scope.dynamic`.
        asks: the question that each command, "predict" or "forecast", puts to a model.
        run: the class of its runs, which `fit` and `load` return.
        rows: `rows(stored, config, count, steps)` returns held-out data for `lstm-jax diagnose`, at
            most `count` sequences of at most `steps` steps; it may raise a ModelError or DataError.
        data: the function that loads and describes each of its data sets, by name.
        before: former values of "kind" in config.json, each with a function that converts the
            configurations of that time to today's.
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

    def measure(self, stored: Stored, config: C, scope: Scope, *, name: str) -> Told:
        """Evaluate a model, unless a part of the scope does not apply to models of this kind.

        Args:
            stored: the model.
            config: the configuration of its run.
            scope: the data to evaluate it on.
            name: what the user calls the model.

        Raises:
            ModelError: if a part of the scope does not apply, or has an invalid value.
            DataError: if the data are missing or altered.
        """
        if scope.split not in SPLITS:
            raise ModelError(f"--split must be {', '.join(SPLITS)}, got {scope.split!r}")
        if scope.rows < 1:
            raise ModelError(f"--rows must be at least 1, got {scope.rows}")
        if scope.file is not None and not self.reads_files:
            raise ModelError(
                f"--file does not apply to {name}, which was not trained on files; use --split"
            )
        if scope.backtest < 0:
            raise ModelError(f"--backtest must be at least 0, got {scope.backtest}")
        if scope.backtest and not self.backtests:
            raise ModelError(f"--backtest is for forecasters only; {name} is not a forecaster")
        if scope.dynamic and not self.dynamic:
            raise ModelError(
                f"--dynamic is for language models only; {name} is not a language model"
            )
        return self.evaluate(stored, config, scope)
