"""Training: recipes, your own data, and runs that can be stopped and resumed.

`fit` trains on your own data, and `load` opens a run of any kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_jax.train.fit import load as load


def __getattr__(name: str) -> Any:
    # Imported only on demand: most modules here need neither every kind of problem nor Orbax.
    if name == "load":
        from lstm_jax.train.problems import open_run

        return open_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
