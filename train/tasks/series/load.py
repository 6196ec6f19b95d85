"""The series that a configuration names, and what it makes of them."""

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
    """Load the columns of one of the package's sets that a configuration reads.

    Args:
        config: of the run.

    Returns:
        A panel of one series.

    Raises:
        DataError: data that is missing, or an unknown column.
    """
    columns = (config.target, *config.inputs)
    found = series.load(config.data, columns, noise=config.noise, seed=config.seed)
    return of_one(found)


def of_one(found: series.Series) -> Panel:
    """Make a panel of one complete series, its first column the target."""
    target, *past = found.columns
    return Panel(
        name=found.name, unit=found.unit, target=target, past=tuple(past), known=(), by=(),
        static=(), levels=(), series=(One((), found.times, found.values, clean=found.clean),),
        step=None, sha256=found.sha256,
    )  # fmt: skip


def prepare_for(
    config: SeriesConfig,
    panel: Panel,
    fitted: Fitted | None = None,
    *,
    whole: bool = False,
    pad: int | None = None,
) -> Prepared:
    """Make series ready as a configuration wants it.

    Args:
        config: of the run.
        panel: what `load` gives.
        fitted: the scalers of columns and of targets; they are fitted if None.
        whole: do not split: all rows are one part, "train".
        pad: rows before each series in which windows may begin; what `pad_of` says if None.

    Raises:
        DataError: a series too short or constant.
    """
    own = config.data == "own"
    if pad is None:
        pad = pad_of(config, panel) if own else 0
    return prepare(
        panel,
        predict=config.predict,
        read=config.read,
        centred=not config.model.odd,
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
    """Give back the scalers that a run's `model.json` holds, a row for each of its series.

    Args:
        description: what the file holds.
    """
    scalers = [Scaler.from_dict(description[name]) for name in ("scaler", "target_scaler")]
    rows = [Scaler(np.atleast_2d(one.mean), np.atleast_2d(one.scale)) for one in scalers]
    return Fitted(rows[0], rows[1], tuple(description.get("masked", ())))


def fitted_for(description: Json, panel: Panel) -> Fitted:
    """Give the scalers of a panel's series, NaN for those that the model did not learn from.

    Args:
        description: what a run's `model.json` holds.
        panel: series of the same columns.
    """
    fitted = fitted_of(description)
    places = {tuple(key): place for place, key in enumerate(description["keys"])}
    found = [places.get(one.key, -1) for one in panel.series]
    none = np.array([place < 0 for place in found])[:, None]

    def of(scaler: Scaler) -> Scaler:
        mean, scale = (np.where(none, np.nan, v[found]) for v in (scaler.mean, scaler.scale))
        return Scaler(mean, scale)

    return Fitted(of(fitted.scaler), of(fitted.target_scaler), fitted.masked)


def pad_of(config: SeriesConfig, panel: Panel) -> int:
    """Say how many rows before a series a window may begin: half of it, if there are series whose
    training rows do not hold a whole one and the horizon."""
    rows = [
        split(len(one.times), config.valid, config.test, gap=config.gap, least=config.horizon)
        for one in panel.series
    ]
    shortest = min(len(one["train"]) for one in rows)
    return config.window // 2 if shortest < config.window + config.horizon else 0
