"""A finished run, as `fit` and `load` return it: its folder, its model and its methods."""

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
    """Store a trained model together with the run that trained it.

    Each kind of problem adds methods of its own: `generate`, `forecast`, `predict`.

    Attributes:
        folder: the run's folder.
        stored: the model as read from its files.
        config: the run's configuration.
        judge: the function that evaluates the model.
        given: the data that the model was trained on, if they were passed to `fit` and not read
            from a file.
    """

    folder: Path
    stored: Stored
    config: C
    judge: Callable[[Stored, C, Scope], Told]
    given: Any = None

    @property
    def model(self) -> nnx.Module:
        """Return the network, a Flax NNX module."""
        return self.stored.network

    @property
    def card(self) -> Json:
        """Return the model's card: the figures and facts in `model.json`."""
        return self.stored.card

    def evaluate(self, split: str = "test", **scope: Any) -> dict[str, object]:
        """Evaluate the model, by default on the test split.

        Args:
            split: "train", "valid" or "test", a split of the data that the run used.
            **scope: other fields of `lstm_jax.train.scope.Scope`, such as `file` or `backtest`.

        Returns:
            The figures that `lstm-jax evaluate --json` prints.

        Raises:
            ModelError: if this kind of model cannot be evaluated on such data.
            DataError: if the data are missing or altered.
            TypeError: if `Scope` does not have a field of that name.
        """
        check_options("evaluate", scope, Scope._fields)
        if isinstance(scope.get("file"), str):
            scope["file"] = Path(scope["file"])
        full_scope = Scope(split, **{"given": self.given, **scope})
        figures, _ = self.judge(self.stored, self.config, full_scope)
        return figures

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"
