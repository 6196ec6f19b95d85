"""Loading and preparation of the series that a configuration names."""

from __future__ import annotations

import numpy as np

from lstm_jax.models.base import Json
from lstm_jax.train.data import series
from lstm_jax.train.data.panels.panel import One, Panel
from lstm_jax.train.data.panels.prepare import prepare
from lstm_jax.train.data.panels.scaling import Fitted
from lstm_jax.train.data.panels.windows import Prepared, split
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.tasks.series.config import SeriesConfig


def load(config: SeriesConfig) -> Panel:
    """Load the columns of a data set of the package that a configuration reads.

    Args:
        config: configuration of the run.

    Returns:
        A panel with one series.

    Raises:
        DataError: if data are missing, or a column is unknown.
    """
    columns = (config.target, *config.inputs)
    data = series.load(config.data, columns, noise=config.noise, seed=config.seed)
    return of_one(data)


def of_one(data: series.Series) -> Panel:
    """Build a panel from one complete series, with its first column as the target."""
    target, *past = data.columns
    return Panel(
        name=data.name, unit=data.unit, target=target, past=tuple(past), known=(), by=(),
        static=(), levels=(), series=(One((), data.times, data.values, clean=data.clean),),
        step=None, sha256=data.sha256,
    )  # fmt: skip


def prepare_for(
    config: SeriesConfig,
    panel: Panel,
    fitted: Fitted | None = None,
    *,
    whole: bool = False,
    pad: int | None = None,
) -> Prepared:
    """Prepare series for windows, with the settings of a configuration.

    Args:
        config: configuration of the run.
        panel: the series.
        fitted: the scalers of columns and targets; they are fitted if None.
        whole: do not split the rows: all of them are in the part "train".
        pad: number of rows before each series in which windows may begin; `pad_of` if None.

    Raises:
        DataError: if a series is too short or constant.
    """
    own = config.data == "own"
    if pad is None:
        pad = pad_of(config, panel) if own else 0
    return prepare(
        panel,
        predict=config.predict,
        read=config.read,
        centered=not config.model.odd,
        counts=config.likelihood == "negative-binomial",
        window=config.window,
        horizon=config.horizon,
        valid=0.0 if whole else config.valid,
        test=0.0 if whole else config.test,
        gap=config.gap,
        least=config.horizon if own else 0,
        pad=pad,
        calendar=config.calendar,
        clock=config.clock,
        fitted=fitted,
    )


def fitted_of(description: Json) -> Fitted:
    """Restore the scalers from the `model.json` of a run, with one row for each of its series.

    Args:
        description: contents of the file.
    """
    scalers = [Scaler.from_dict(description[name]) for name in ("scaler", "target_scaler")]
    rows = [Scaler(np.atleast_2d(scaler.mean), np.atleast_2d(scaler.scale)) for scaler in scalers]
    return Fitted(rows[0], rows[1], tuple(description.get("masked", ())))


def fitted_for(description: Json, panel: Panel) -> Fitted:
    """Return the scalers of the series in a panel, NaN for series the model was not trained on.

    Args:
        description: contents of the `model.json` of a run.
        panel: series with the same columns.
    """
    fitted = fitted_of(description)
    places = {tuple(key): place for place, key in enumerate(description["keys"])}
    indices = [places.get(series.key, -1) for series in panel.series]
    unknown = np.array([place < 0 for place in indices])[:, None]

    def select(scaler: Scaler) -> Scaler:
        mean, scale = (np.where(unknown, np.nan, v[indices]) for v in (scaler.mean, scaler.scale))
        return Scaler(mean, scale)

    return Fitted(select(fitted.scaler), select(fitted.target_scaler), fitted.masked)


def pad_of(config: SeriesConfig, panel: Panel) -> int:
    """Compute how many rows before a series a window may begin.

    It is half a window if the training rows of some series do not hold a window and the horizon,
    and 0 otherwise.
    """
    rows = [
        split(len(series.times), config.valid, config.test, gap=config.gap, least=config.horizon)
        for series in panel.series
    ]
    shortest = min(len(series["train"]) for series in rows)
    return config.window // 2 if shortest < config.window + config.horizon else 0
