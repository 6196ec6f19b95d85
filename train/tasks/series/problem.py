"""The problem of forecasting series."""

from functools import partial

from lstm_jax.train.data import series
from lstm_jax.train.problem import Ask, Problem
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.evaluate import forecasts
from lstm_jax.train.tasks.series.forecast import ForecastOptions, forecast
from lstm_jax.train.tasks.series.look import look
from lstm_jax.train.tasks.series.rows import windows_to_read
from lstm_jax.train.tasks.series.run import SeriesRun

SERIES = Problem(
    name="series",
    config=SeriesConfig,
    look=look,
    network="Forecaster",
    evaluate=forecasts,
    rows=windows_to_read,
    reads_files=True,
    picture="forecast.png",
    backtests=True,
    asks={"forecast": Ask(ForecastOptions, forecast)},
    run=SeriesRun,
    data={name: partial(series.describe, name) for name in ("sine", *series.LOADERS)},
)
