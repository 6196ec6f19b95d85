"""Tables that compare a forecaster with baselines."""

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
"""The forecasts of the model and of each baseline, by name."""

Table: TypeAlias = dict[str, dict[str, float]]
"""The errors and the skill of the model and of each baseline, by name."""


class Forecasts(NamedTuple):
    """Store the forecasts of a split, in the target's unit.

    Attributes:
        config: the run's configuration.
        ready: the series.
        split: the name of the split.
        unit: the target's unit.
        at: (N,), the rows at which the forecasts are made.
        named: the forecasts of the model and of each baseline, (N, H), by name.
        quantiles: (N, H, Q), or None.
        rolled_at: (M,), the rows at which the rolled forecasts begin.
        rolled: (M, R), or None.
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
    """Describe the outermost interval: its nominal and its actual coverage, its width, its loss."""

    nominal: float
    coverage: float
    mean_width: float
    pinball: float


class Measured(TypedDict):
    """Describe forecasts for JSON; `first` and `last` are the times of forecast values."""

    on: str
    target: str
    unit: str
    forecasts: int
    first: str
    last: str
    tables: dict[str, Table]
    interval: NotRequired[Interval]


def forecast(stored: Stored, config: SeriesConfig, split: str) -> Forecasts:
    """Forecast a split with a trained model and with the baselines.

    Args:
        stored: the model.
        config: the configuration of its run.
        split: "train", "valid" or "test".

    Raises:
        DataError: if the data are missing or altered.
        ModelError: if the data are not those that the model was trained on.
    """
    panel = load(config)
    if panel.sha256 != stored.card.get("data_sha256"):
        raise ModelError(
            f"the model was trained on other data than the {config.data} installed here; train it "
            "again"
        )
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


def measure(forecasts: Forecasts) -> Measured:
    """Compare forecasts with the actual values.

    Args:
        forecasts: the result of `forecast`.
    """
    config, times = forecasts.config, forecasts.ready.times
    figures: Measured = {
        "on": f"{config.data} {forecasts.split}",
        "target": config.target,
        "unit": forecasts.unit,
        "forecasts": len(forecasts.at),
        "first": str(times[forecasts.at[0] + 1]),
        "last": str(times[forecasts.at[-1] + config.horizon]),
        "tables": {title: _beside(truth, named) for title, truth, named in compare(forecasts)},
    }
    if forecasts.quantiles is not None:
        q, truth = config.quantiles, future(forecasts.ready.target, forecasts.at, config.horizon)
        low, high = forecasts.quantiles[:, -1, 0], forecasts.quantiles[:, -1, -1]
        figures["interval"] = {
            "nominal": round(q[-1] - q[0], 6),
            "coverage": coverage(truth[:, -1], low, high),
            "mean_width": float((high - low).mean()),
            "pinball": float(pinball(truth, forecasts.quantiles, q).mean()),
        }
    return figures


def compare(forecasts: Forecasts) -> Iterator[tuple[str, np.ndarray, Named]]:
    """Pair forecasts with the actual values: for the first step, the last step and all steps.

    A rolled forecast as long as the horizon appears beside the others; otherwise it gets its own
    table. If the clean values of noisy data are known, there are also tables for those.

    Args:
        forecasts: the result of `forecast`.

    Yields:
        The title of a table, the actual values, (N,) or (N, H), and the forecasts of them.
    """
    ready, horizon, roll = forecasts.ready, forecasts.config.horizon, forecasts.config.roll
    truths = {"": ready.target}
    if forecasts.config.noise and ready.clean is not None:
        truths[", against the clean wave"] = ready.clean
    for against, target in truths.items():
        truth = future(target, forecasts.at, horizon)
        for step in sorted({1, horizon}):
            title = f"{step} step{'s' if step > 1 else ''} ahead{against}"
            last = {name: values[:, step - 1] for name, values in forecasts.named.items()}
            yield title, truth[:, step - 1], last
        rolled = {} if forecasts.rolled is None else {ROLLED: forecasts.rolled}
        if horizon > 1:
            beside = rolled if roll == horizon else {}
            yield f"all of {horizon} steps{against}", truth, {**forecasts.named, **beside}
        if rolled and roll != horizon:
            naive = baselines.persistence(ready.target, forecasts.rolled_at, roll)
            truth = future(target, forecasts.rolled_at, roll)
            yield f"all of {roll} steps rolled{against}", truth, {**rolled, NAIVE: naive}


def future(target: np.ndarray, at: np.ndarray, steps: int) -> np.ndarray:
    """Return the values after the rows `at`, (N, steps).

    Args:
        target: (M,), the series.
        at: (N,), rows.
        steps: the number of values after each row.
    """
    return target[at[:, None] + np.arange(1, steps + 1)]


def say(figures: Measured) -> str:
    """Format the figures as tables for a terminal, with errors in percent only for prices.

    Args:
        figures: the result of `measure`.
    """
    unit = figures["unit"]
    ending = f" {unit}" if unit else ""
    lines = [
        f"{figures['on']}, {figures['target']}{f' in {unit}' if unit else ''}: "
        f"{figures['forecasts']:,} forecasts from {figures['first']} to {figures['last']}"
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
        interval = figures["interval"]
        lines.append(
            f"the {interval['nominal']:.0%} interval contains {interval['coverage']:.1%} of the "
            f"values, with a mean width of {interval['mean_width']:.3g}{ending}"
        )
    return "\n".join(lines)


def _beside(truth: np.ndarray, named: Named) -> Table:
    table = {name: errors(truth, values) for name, values in named.items()}
    naive = table[NAIVE]["mae"]
    return {name: {**row, "skill": skill(row["mae"], naive)} for name, row in table.items()}
