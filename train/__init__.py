"""Training: recipes, users' own data, runs that stop and go on.

`fit` trains on data of one's own, and `load` opens a run of any kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_jax.train.fit import load as load


def __getattr__(name: str) -> Any:
    # Not imported above: most of what is in here needs neither every kind of problem nor Orbax.
    if name == "load":
        from lstm_jax.train.problems import open_run

        return open_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
