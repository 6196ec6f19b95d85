"""`lstm-jax data`: every data set by its name, loaded and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import tyro

from lstm_jax.spelling import did_you_mean
from lstm_jax.train.data.download import DataError
from lstm_jax.train.problems import PROBLEMS
from lstm_jax.train.scope import Told

SETS: dict[str, Callable[[], Told]] = {
    name: describe for problem in PROBLEMS.values() for name, describe in problem.data.items()
}
"""A data set's name -> what loads and describes it."""


@dataclass(frozen=True)
class DataOptions:
    """Which data set."""

    name: tyro.conf.Positional[
        Annotated[str, tyro.conf.arg(metavar="NAME", help=f"One of {', '.join(SETS)}.")]
    ]
    json: bool = False
    """Print JSON."""


def describe(name: str) -> Told:
    """Load a data set, fetching what is missing, and say what it holds.

    Args:
        name: one of `SETS`.

    Raises:
        DataError: there is no such set, or it is missing, altered or out of reach.
    """
    if name not in SETS:
        raise DataError(f"there is no data set {name!r}; {did_you_mean(name, SETS)}")
    return SETS[name]()
