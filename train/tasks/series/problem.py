"""Series to forecast."""

from functools import partial

from lstm_jax.train.data import series
from lstm_jax.train.look import without_choice
from lstm_jax.train.problem import Problem
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.evaluate import forecasts
from lstm_jax.train.tasks.series.rows import windows_to_read
from lstm_jax.train.tasks.series.task import make_series_task

SERIES = Problem(
    name="series",
    config=SeriesConfig,
    look=without_choice(make_series_task),
    network="Forecaster",
    evaluate=forecasts,
    rows=windows_to_read,
    picture="forecast.png",
    data={name: partial(series.describe, name) for name in ("sine", *series.LOADERS)},
)
