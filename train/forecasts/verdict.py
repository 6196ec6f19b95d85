"""A forecaster beside the forecasts that cost nothing: the tables, and the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.config import SeriesConfig
from lstm_jax.train.data.windows import Prepared, Scaler
from lstm_jax.train.forecasts import baselines
from lstm_jax.train.forecasts.errors import coverage, errors, pinball, skill
from lstm_jax.train.tasks.series.task import load, make_predict, make_roll, middle, prepare_for

MODEL, ROLLED, NAIVE = "lstm", "lstm, rolled", "persistence"
SHOWN = 150  # rows of a picture, where nothing is rolled

Named = dict[str, np.ndarray]


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


def forecast(stored: Stored, config: SeriesConfig, split: str) -> Forecasts:
    """What a trained model says of a split, and what the baselines do.

    Raises:
        DataError: data that is missing or altered.
        ModelError: data that is not what the model was trained on.
    """
    series = load(config)
    if series.sha256 != stored.card.get("data_sha256"):
        raise ModelError(f"the model was trained on another {config.data} than is installed here")
    fitted = [Scaler.from_dict(stored.description[name]) for name in ("scaler", "target_scaler")]
    ready = prepare_for(config, series, (fitted[0], fitted[1]))
    (inputs, _, at), point = ready.windows(split), middle(config)
    params = nnx.state(stored.network, nnx.Param)
    outputs = ready.restore(make_predict(stored.network)(params, inputs), at)
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
    return Forecasts(config, ready, split, series.unit, at, named, quantiles, rolled_at, rolled)


def measure(found: Forecasts) -> dict[str, Any]:
    """Tables of errors and the interval's figures, for JSON."""
    config, times = found.config, found.ready.times
    figures: dict[str, Any] = {
        "on": f"{config.data} {found.split}",
        "target": config.target,
        "unit": found.unit,
        "forecasts": len(found.at),
        "first": str(times[found.at[0] + 1]),
        "last": str(times[found.at[-1] + config.horizon]),
        "tables": {title: _beside(*compared) for title, *compared in compare(found)},
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
    """A table's title, what came, and what was forecast of it: the first step, the last, and all.

    A roll as long as the horizon stands beside all of its steps, another by itself. Of noisy data
    whose clean values are known, also against those.
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
    """The values that come after rows `at` (N,): (N, steps)."""
    return target[at[:, None] + np.arange(1, steps + 1)]


def say(figures: dict[str, Any]) -> str:
    """The figures for a terminal; errors in percent of prices only."""
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


def draw(found: Forecasts, path: Path) -> None:
    """The picture, as a PNG: one that follows its own forecasts, or what is gained on persistence.

    Raises:
        ModelError: matplotlib is missing.
    """
    try:
        from lstm_jax.plots.drawing import default_style, new_figure
    except ImportError as error:
        raise ModelError(str(error)) from None
    rolls = found.rolled is not None and found.config.horizon == 1
    with default_style():
        figure = new_figure(1, 2, size=(8.4, 3.0))
        (_draw_roll if rolls else _draw_gains)(found, *figure.axes)
        figure.savefig(path, dpi=100)


def _draw_roll(found: Forecasts, above: Any, below: Any) -> None:
    """The first forecast that reads itself, beside those one step ahead, and the errors of both."""
    from lstm_jax.plots.forecast import forecast_line

    config, ready = found.config, found.ready
    rows = found.at[: config.roll] + 1
    times, truth = ready.times[rows], ready.target[rows]
    ahead, rolled = found.named[MODEL][: config.roll, 0], found.rolled[0]
    lines = {"one step ahead": ahead, "reading its own forecasts": rolled}
    forecast_line(times, truth, lines, title=config.data, y=config.target, axes=above)
    clean = truth if ready.clean is None else ready.clean[rows]
    wrong = {name: values - clean for name, values in lines.items()}
    title = "error against the clean wave" if config.noise else "error"
    forecast_line(times, None, wrong, title=title, axes=below)


def _draw_gains(found: Forecasts, above: Any, below: Any) -> None:
    """The last step of the horizon beside persistence, and what is gained on that in the split."""
    from lstm_jax.plots.forecast import forecast_line, gains

    config, ready, step = found.config, found.ready, found.config.horizon
    rows = found.at + step
    truth, shown = ready.target[rows], slice(-SHOWN, None)
    last = {name: values[:, -1] for name, values in found.named.items()}
    lines = {f"LSTM, {step} ahead": last[MODEL], NAIVE: last[NAIVE], "truth": truth}
    if found.quantiles is not None:
        lines |= {"low": found.quantiles[:, -1, 0], "high": found.quantiles[:, -1, -1]}
    label = f"{config.target} ({found.unit})"
    if config.predict == "return":
        # A line of prices would follow the truth a day late, whatever it knows: show changes.
        lines = {name: 100 * np.log(v / ready.target[found.at]) for name, v in lines.items()}
        label = f"{config.target}: change (%)"
    lines = {name: values[shown] for name, values in lines.items()}
    band = (lines.pop("low"), lines.pop("high")) if found.quantiles is not None else None
    forecast_line(
        ready.times[rows[shown]], lines.pop("truth"), lines,
        band=band, title=config.data, y=label, axes=above,
    )  # fmt: skip
    naive = np.abs(last[NAIVE] - truth)
    gained = {name: naive - np.abs(last[name] - truth) for name in (MODEL, "linear")}
    named = {f"{n}, skill {g.mean() / naive.mean():+.3f}": g.cumsum() for n, g in gained.items()}
    gains(ready.times[rows], named, y=found.unit, axes=below)


def _beside(truth: np.ndarray, named: Named) -> dict[str, dict[str, float]]:
    found = {name: errors(truth, values) for name, values in named.items()}
    naive = found[NAIVE]["mae"]
    return {name: {**each, "skill": skill(each["mae"], naive)} for name, each in found.items()}
