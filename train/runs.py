"""A run as `fit` and `load` give it: its folder, its model, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from flax import nnx

from lstm_jax.models.base import Json
from lstm_jax.models.storage import Stored
from lstm_jax.spelling import check_options
from lstm_jax.train.config import TrainConfig
from lstm_jax.train.scope import Scope, Told

C = TypeVar("C", bound=TrainConfig)


@dataclass(frozen=True)
class Run(Generic[C]):
    """Hold a trained model with the run that made it.

    Each kind of problem adds what its models are for: `generate`, `forecast`, `predict`.

    Attributes:
        folder: of the run.
        stored: the model as its files have it.
        config: of the run.
        judge: what measures the model.
        given: what it learned from, where that was handed to `fit` and is no file.
    """

    folder: Path
    stored: Stored
    config: C
    judge: Callable[[Stored, C, Scope], Told]
    given: Any = None

    @property
    def model(self) -> nnx.Module:
        """Give the network, a Flax NNX module."""
        return self.stored.network

    @property
    def card(self) -> Json:
        """Give figures and facts, as `model.json` has them."""
        return self.stored.card

    def evaluate(self, split: str = "test", **scope: Any) -> dict[str, object]:
        """Measure the model on data that it did not learn from.

        Args:
            split: "train", "valid" or "test", of the data that it learned from.
            **scope: more of `lstm_jax.train.scope.Scope`, such as `file` or `backtest`.

        Returns:
            Figures, as `lstm-jax evaluate --json` prints them.

        Raises:
            ModelError: something that this kind of model cannot be judged on.
            DataError: data that is missing or altered.
            TypeError: a field that a scope does not have.
        """
        check_options("evaluate", scope, Scope._fields)
        return self.judge(self.stored, self.config, Scope(split, **{"given": self.given, **scope}))[
            0
        ]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"
