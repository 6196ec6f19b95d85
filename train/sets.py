"""`lstm-jax data`: load a data set by name and describe its splits."""

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
"""The function that loads and describes each data set, by name."""


@dataclass(frozen=True)
class DataOptions:
    """Configure which data set to describe."""

    name: tyro.conf.Positional[
        Annotated[str, tyro.conf.arg(metavar="NAME", help=f"One of {', '.join(SETS)}.")]
    ]
    json: bool = False
    """Print JSON."""


def describe(name: str) -> Told:
    """Load a data set, downloading it if necessary, and describe it.

    Args:
        name: one of `SETS`.

    Returns:
        The figures for JSON, and the same figures as text.

    Raises:
        DataError: if there is no such data set, or it is altered or cannot be downloaded.
    """
    if name not in SETS:
        raise DataError(f"there is no data set {name!r}; {did_you_mean(name, SETS)}")
    return SETS[name]()
