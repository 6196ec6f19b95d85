"""A forecaster of a table's series beside the forecasts that cost nothing, averaged over series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from flax import nnx

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.load import load_panel, read_new
from lstm_jax.train.data.panels.panel import Panel
from lstm_jax.train.data.panels.windows import Prepared
from lstm_jax.train.forecasts import baselines
from lstm_jax.train.forecasts.scores import by_series, interval, mean_over, naive_error
from lstm_jax.train.scope import Scope
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.load import fitted_for, prepare_for
from lstm_jax.train.tasks.series.outputs import forecasts_of, make_predict, middle

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure

MODEL, LINEAR, SEASONAL, NAIVE = "lstm", "linear", "seasonal naive", "persistence"
MOST = 20_000
"""Windows that are forecast, at most: evenly spaced ones of more."""
COLUMNS = {"mase": "MASE", "mae": "MAE", "rmse": "RMSE", "pinball": "pinball"}


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of a panel made at rows `at` (N,), in the target's unit.

    Attributes:
        config: of the run.
        panel, ready: the series.
        on: what they are of, in words.
        at: (N,), the rows of `ready` at which they were made.
        named: the model and the baselines -> (N, H).
        quantiles: (N, H, Q), or None.
        naive: (S,), what MASE is measured in.
    """

    config: SeriesConfig
    panel: Panel
    ready: Prepared
    on: str
    at: np.ndarray
    named: dict[str, np.ndarray]
    quantiles: np.ndarray | None
    naive: np.ndarray


def forecast(stored: Stored, config: SeriesConfig, scope: Scope) -> Forecasts:
    """Ask a trained model, and the baselines, of a split or of another table.

    Args:
        stored: the model.
        config: of its run.
        scope: the split, or the file.

    Raises:
        DataError: data that is missing or cannot be forecast.
        ModelError: data that is not what the model was trained on.
    """
    panel, ready, split, on = _ready(stored, config, scope)
    at = ready.moments(split)
    if scope.backtest:
        at = origins(at, ready.owner, config.horizon, scope.backtest)
    if not len(at):
        raise DataError(
            f"{on} has no window of {config.window} rows with {config.horizon} after it to "
            "forecast: take --split valid, or --file with more rows"
        )
    if len(at) > MOST:
        at, on = at[np.linspace(0, len(at) - 1, MOST).astype(int)], f"{on}, of {len(at):,} windows"
    predict, params = make_predict(stored.network), nnx.state(stored.network, nnx.Param)
    inputs = ready.inputs(at)
    values = forecasts_of(config, ready, predict(params, inputs), at)
    named = {MODEL: values[..., middle(config)]}
    if scope.file is None and len(ready.moments("train")) and len(ready.moments("valid")):
        named[LINEAR] = ready.restore(baselines.fit_linear(ready)(inputs), at)
    starts = np.array([spans["train"].start for spans in ready.spans])[ready.owner[at]]
    if config.season > 1:
        named[SEASONAL] = baselines.seasonal_or_last(
            ready.filled, at, config.horizon, config.season, starts
        )
    named[NAIVE] = baselines.persistence(ready.filled, at, config.horizon)
    naive = [
        naive_error(ready.target[spans["train"].start : spans["train"].stop], config.season)
        for spans in ready.spans
    ]
    quantiles = values if config.quantiles else None
    return Forecasts(config, panel, ready, on, at, named, quantiles, np.array(naive))


def origins(at: np.ndarray, owner: np.ndarray, horizon: int, count: int) -> np.ndarray:
    """Take the last origins of each series, a horizon apart, or less where there is no room.

    Args:
        at: (N,), rows at which forecasts can be made, of each series in their order.
        owner: which series each row is of.
        horizon: H.
        count: of origins.

    Returns:
        Of each series `count` rows, the earliest first; of those with fewer, none.

    Raises:
        DataError: no series has as many.
    """
    found, most = [], 0
    for rows in np.split(at, np.flatnonzero(np.diff(owner[at])) + 1):
        most = max(most, len(rows))
        if len(rows) >= count:
            apart = min(horizon, (len(rows) - 1) // max(count - 1, 1))
            found.append(rows[len(rows) - 1 - apart * np.arange(count)[::-1]])
    if not found:
        raise DataError(
            f"--backtest is {count}, and the part has {most} origins at most: take fewer, or "
            "train with a larger --test"
        )
    return np.concatenate(found)


def measure(found: Forecasts, backtest: int = 0) -> dict[str, Any]:
    """Hold forecasts against what came.

    Args:
        found: what `forecast` gives.
        backtest: how many origins there are of each series, if they are to be told apart.

    Returns:
        Figures for JSON.
    """
    config, ready, panel = found.config, found.ready, found.panel
    owner = ready.owner[found.at]
    truth = ready.target[found.at[:, None] + np.arange(1, config.horizon + 1)]
    each = {
        name: by_series(truth, values, owner, found.naive) for name, values in found.named.items()
    }
    table = {name: mean_over(scores) for name, scores in each.items()}
    figures: dict[str, Any] = {
        "on": found.on,
        "target": config.target,
        "series": len(np.unique(owner)),
        "forecasts": len(found.at),
        "horizon": config.horizon,
        "season": config.season,
        "first": _written(panel, ready.times[found.at + 1].min()),
        "last": _written(panel, ready.times[found.at + config.horizon].max()),
        "tables": {f"all of {config.horizon} steps": table},
    }
    if found.quantiles is not None:
        held = interval(truth, found.quantiles, config.quantiles)
        table[MODEL]["pinball"] = held.pop("pinball")
        figures["interval"] = held
    score = "mase" if "mase" in table[MODEL] else "mae"
    figures["words"] = words(table, score)
    if len(panel.series) > 1:
        values = np.where(np.isfinite(each[MODEL][score]), each[MODEL][score], np.nan)
        for name, place in (("best", np.nanargmin(values)), ("worst", np.nanargmax(values))):
            title = panel.title(panel.series[place].key)
            figures[name] = {"series": title, score: float(values[place])}
    if backtest:
        figures["origins"] = _origins(found, truth, backtest)
    return figures


def words(table: dict[str, dict[str, float]], score: str) -> list[str]:
    """Say how the model stands against each baseline: "loses to linear by 3.1%"."""
    said = []
    for name, row in table.items():
        if name == MODEL or score not in row:
            continue
        gain = 1 - table[MODEL][score] / row[score] if row[score] else float("-inf")
        if abs(gain) < 0.0005:
            said.append(f"as good as {name}")
        elif gain > 0:
            said.append(f"beats {name} by {gain:.1%}")
        else:
            said.append(f"loses to {name} by {-gain:.1%}")
    return said


def say(figures: dict[str, Any]) -> str:
    """Put the figures in tables for a terminal.

    Args:
        figures: what `measure` gives.
    """
    many = f"{figures['series']:,} series, " if figures["series"] > 1 else ""
    lines = [
        f"{figures['on']}, {figures['target']}: {many}{figures['forecasts']:,} forecasts of "
        f"{figures['first']} to {figures['last']}"
    ]
    for title, rows in figures["tables"].items():
        heads = {
            key: head for key, head in COLUMNS.items() if any(key in row for row in rows.values())
        }
        lines.append(f"{title:28}" + "".join(f"{head:>11}" for head in heads.values()))
        for name, row in rows.items():
            cells = (f"{row[key]:11.4g}" if key in row else " " * 11 for key in heads)
            lines.append(f"  {name:26}" + "".join(cells).rstrip())
    lines.append("the LSTM " + ", ".join(figures["words"]))
    if figures["series"] > 1:
        lines.append("each score is the mean of the series' own")
    for name in ("best", "worst"):
        if name in figures:
            series, (score, value) = figures[name]["series"], list(figures[name].items())[1]
            lines.append(f"{name}: {series}, {score.upper()} {value:.4g}")
    if "interval" in figures:
        held = figures["interval"]
        lines.append(
            f"the interval of {held['nominal']:.0%} held {held['coverage']:.1%} of the values"
        )
    if "origins" in figures:
        lines.append(f"{'origins, not fitted anew':28}{'MASE':>11}{'MAE':>11}{'RMSE':>11}")
        for row in figures["origins"]:
            cells = (f"{row.get(key, np.nan):11.4g}" for key in ("mase", "mae", "rmse"))
            lines.append(f"  {row['after']:26}" + "".join(cells))
    return "\n".join(lines)


def picture(found: Forecasts) -> Figure:
    """Draw the last forecast of some series beside what came.

    Args:
        found: what `forecast` gives.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from lstm_jax.plots.multiples import SHOWN, Piece, draw

    ready, config, pieces = found.ready, found.config, []
    owner = ready.owner[found.at]
    point = middle(config)
    for index in np.unique(owner)[:SHOWN]:
        [*_, last] = np.flatnonzero(owner == index)
        stop = found.at[last] + config.horizon + 1
        begin = max(stop - 3 * config.horizon - config.window, ready.spans[index]["train"].start)
        values = found.named[MODEL][last][:, None]
        if found.quantiles is not None:
            values = found.quantiles[last]
        title = found.panel.title(found.panel.series[index].key)
        pieces.append(
            Piece(title, ready.times[begin:stop], ready.target[begin:stop], values, point)
        )
    return draw(pieces, quantiles=config.quantiles, y=config.target)


def _written(panel: Panel, time: np.datetime64 | np.int64) -> str:
    return str(panel.form.write(np.array([time]))[0])


def _origins(found: Forecasts, truth: np.ndarray, count: int) -> list[dict[str, Any]]:
    """Scores of each origin, the earliest first, and their mean."""
    rows = []
    turn = np.arange(len(found.at)) % count
    owner = found.ready.owner[found.at]
    for number in range(count):
        own = turn == number
        scores = by_series(truth[own], found.named[MODEL][own], owner[own], found.naive)
        after = found.ready.times[found.at[own]]
        first, last = (_written(found.panel, time) for time in (after.min(), after.max()))
        label = first if first == last else f"origin {number + 1}"
        rows.append({"after": label, **mean_over(scores)})
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "after"}
    return [*rows, {"after": "mean", **means}]


def _ready(stored: Stored, config: SeriesConfig, scope: Scope) -> tuple[Panel, Prepared, str, str]:
    """The series, which of their parts is asked for, and what to call it."""
    levels = tuple(tuple(one) for one in stored.description.get("levels", ()))
    if scope.file is not None:
        panel = read_new(config, levels, scope.file)
        ready = prepare_for(
            config, panel, fitted_for(stored.description, panel), whole=True,
            pad=stored.description.get("pad", 0),
        )  # fmt: skip
        return panel, ready, "train", panel.name
    if scope.given is None and not config.file:
        raise DataError("the model learned from a frame, which is not kept: give --file")
    panel, *_ = load_panel(config, scope.given, levels=levels)
    if panel.sha256 != config.data_sha256:
        raise ModelError(
            f"{panel.name} is not what the model was trained on (its sha256 differs): give it as "
            "--file, or train anew"
        )
    ready = prepare_for(config, panel, fitted_for(stored.description, panel))
    return panel, ready, scope.split, f"{panel.name}, {scope.split}"
