"""A forecaster beside the forecasts that cost nothing, in tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, NotRequired, TypeAlias, TypedDict

import numpy as np
from flax import nnx

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.data.panels.windows import Prepared
from lstm_jax.train.forecasts import baselines
from lstm_jax.train.forecasts.errors import coverage, errors, pinball, skill
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.load import fitted_of, load, prepare_for
from lstm_jax.train.tasks.series.outputs import forecasts_of, make_predict, middle
from lstm_jax.train.tasks.series.roll import make_roll

MODEL, ROLLED, NAIVE = "lstm", "lstm, rolled", "persistence"

Named: TypeAlias = dict[str, np.ndarray]
"""The name of a model or a baseline -> its forecasts."""

Table: TypeAlias = dict[str, dict[str, float]]
"""The name of a model or a baseline -> its errors, and its skill."""


class Forecasts(NamedTuple):
    """Forecasts of one split in the target's unit, made at rows `at` (N,) and `rolled_at` (M,).

    `named`: name -> (N, H). `quantiles` (N, H, Q), or None. `rolled` (M, R), or None.
    """

    config: SeriesConfig
    ready: Prepared
    split: str
    unit: str
    at: np.ndarray
    named: Named
    quantiles: np.ndarray | None
    rolled_at: np.ndarray
    rolled: np.ndarray | None


class Interval(TypedDict):
    """Of the outermost quantiles: what share of the values they should hold, and did."""

    nominal: float
    coverage: float
    mean_width: float
    pinball: float


class Measured(TypedDict):
    """What is said of forecasts, for JSON; `first` and `last` are times of what was forecast."""

    on: str
    target: str
    unit: str
    forecasts: int
    first: str
    last: str
    tables: dict[str, Table]
    interval: NotRequired[Interval]


def forecast(stored: Stored, config: SeriesConfig, split: str) -> Forecasts:
    """Ask a trained model of a split, and the baselines.

    Args:
        stored: the model.
        config: of its run.
        split: "train", "valid" or "test".

    Raises:
        DataError: data that is missing or altered.
        ModelError: data that is not what the model was trained on.
    """
    panel = load(config)
    if panel.sha256 != stored.card.get("data_sha256"):
        raise ModelError(f"the model was trained on another {config.data} than is installed here")
    ready, point = prepare_for(config, panel, fitted_of(stored.description)), middle(config)
    inputs, _, at, _ = ready.windows(split)
    params = nnx.state(stored.network, nnx.Param)
    outputs = forecasts_of(config, ready, make_predict(stored.network)(params, inputs), at)
    named = {
        MODEL: outputs[..., point],
        "linear": ready.restore(baselines.fit_linear(ready)(inputs), at),
        NAIVE: baselines.persistence(ready.target, at, config.horizon),
    }
    if at[0] + 1 >= config.season:
        named["seasonal"] = baselines.seasonal(ready.target, at, config.horizon, config.season)
    rolled, rolled_at = None, ready.moments(split, config.roll) if config.roll else at[:0]
    if len(rolled_at):
        rolled = make_roll(stored.network, ready, config.roll, point)(params, rolled_at)
    quantiles = outputs if config.quantiles else None
    return Forecasts(config, ready, split, panel.unit, at, named, quantiles, rolled_at, rolled)


def measure(found: Forecasts) -> Measured:
    """Hold forecasts against what came.

    Args:
        found: what `forecast` gives.
    """
    config, times = found.config, found.ready.times
    figures: Measured = {
        "on": f"{config.data} {found.split}",
        "target": config.target,
        "unit": found.unit,
        "forecasts": len(found.at),
        "first": str(times[found.at[0] + 1]),
        "last": str(times[found.at[-1] + config.horizon]),
        "tables": {title: _beside(truth, named) for title, truth, named in compare(found)},
    }
    if found.quantiles is not None:
        q, truth = config.quantiles, future(found.ready.target, found.at, config.horizon)
        low, high = found.quantiles[:, -1, 0], found.quantiles[:, -1, -1]
        figures["interval"] = {
            "nominal": round(q[-1] - q[0], 6),
            "coverage": coverage(truth[:, -1], low, high),
            "mean_width": float((high - low).mean()),
            "pinball": float(pinball(truth, found.quantiles, q).mean()),
        }
    return figures


def compare(found: Forecasts) -> Iterator[tuple[str, np.ndarray, Named]]:
    """Pair forecasts with what came: of the first step, the last, and all.

    A roll as long as the horizon stands beside all of its steps, another by itself. Of noisy data
    whose clean values are known, also against those.

    Args:
        found: what `forecast` gives.

    Yields:
        A table's title, what came, (N,) or (N, H), and what was forecast of it.
    """
    ready, horizon, roll = found.ready, found.config.horizon, found.config.roll
    truths = {"": ready.target}
    if found.config.noise and ready.clean is not None:
        truths[", against the clean wave"] = ready.clean
    for against, target in truths.items():
        truth = future(target, found.at, horizon)
        for step in sorted({1, horizon}):
            title = f"{step} step{'s' if step > 1 else ''} ahead{against}"
            last = {name: values[:, step - 1] for name, values in found.named.items()}
            yield title, truth[:, step - 1], last
        rolled = {} if found.rolled is None else {ROLLED: found.rolled}
        if horizon > 1:
            beside = rolled if roll == horizon else {}
            yield f"all of {horizon} steps{against}", truth, {**found.named, **beside}
        if rolled and roll != horizon:
            naive = baselines.persistence(ready.target, found.rolled_at, roll)
            came = future(target, found.rolled_at, roll)
            yield f"all of {roll} steps rolled{against}", came, {**rolled, NAIVE: naive}


def future(target: np.ndarray, at: np.ndarray, steps: int) -> np.ndarray:
    """Take the values that come after rows `at` (N,): (N, steps).

    Args:
        target: (M,).
        at: rows (N,).
        steps: how many.
    """
    return target[at[:, None] + np.arange(1, steps + 1)]


def say(figures: Measured) -> str:
    """Put the figures in tables for a terminal; errors in percent of prices only.

    Args:
        figures: what `measure` gives.
    """
    unit = figures["unit"]
    ending = f" {unit}" if unit else ""
    lines = [
        f"{figures['on']}, {figures['target']}{f' in {unit}' if unit else ''}: "
        f"{figures['forecasts']:,} forecasts of {figures['first']} to {figures['last']}"
    ]
    columns = {"mae": "MAE", "rmse": "RMSE", "skill": "skill"}
    if unit == "$":
        columns["mape"] = "MAPE %"
    for title, rows in figures["tables"].items():
        width = max(28, len(title) + 1)
        lines.append(f"{title:{width}}" + "".join(f"{head:>9}" for head in columns.values()))
        for name, row in rows.items():
            lines.append(f"  {name:{width - 2}}" + "".join(f"{row[key]:9.4f}" for key in columns))
    if "interval" in figures:
        found = figures["interval"]
        lines.append(
            f"the interval of {found['nominal']:.0%} held {found['coverage']:.1%} of the values, "
            f"{found['mean_width']:.3g}{ending} wide in the mean"
        )
    return "\n".join(lines)


def _beside(truth: np.ndarray, named: Named) -> Table:
    found = {name: errors(truth, values) for name, values in named.items()}
    naive = found[NAIVE]["mae"]
    return {name: {**each, "skill": skill(each["mae"], naive)} for name, each in found.items()}
