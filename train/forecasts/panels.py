"""Comparison of a forecaster with baselines on a table of series, averaged over the series."""

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
"""Maximum number of windows to forecast; of more windows, evenly spaced ones are taken."""
COLUMNS = {"mase": "MASE", "mae": "MAE", "rmse": "RMSE", "pinball": "pinball"}


@dataclass(frozen=True)
class Forecasts:
    """Store forecasts of a panel, in the target's unit.

    Attributes:
        config: the run's configuration.
        panel, ready: the series.
        on: a description of the data.
        at: (N,), the rows of `ready` at which the forecasts are made.
        named: the forecasts of the model and of each baseline, (N, H), by name.
        quantiles: (N, H, Q), or None.
        naive: (S,), the naive error of each series, which is the unit of MASE.
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
    """Forecast a split, or another table, with a trained model and with the baselines.

    Args:
        stored: the model.
        config: the configuration of its run.
        scope: the split or the file.

    Raises:
        DataError: if the data are missing or cannot be forecast.
        ModelError: if the data are not those that the model was trained on.
    """
    panel, ready, split, on = _ready(stored, config, scope)
    at = ready.moments(split)
    if scope.backtest:
        at = origins(at, ready.owner, config.horizon, scope.backtest)
    if not len(at):
        raise DataError(
            f"{on} must have a window of {config.window} rows with {config.horizon} rows after it "
            "to forecast; use --split valid, or --file with more rows"
        )
    if len(at) > MOST:
        on = f"{on}, a sample of its {len(at):,} windows"
        at = thinned(at, scope.backtest or 1)
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


def thinned(at: np.ndarray, count: int) -> np.ndarray:
    """Choose about `MOST` rows, evenly; the `count` origins of a series stay together.

    Args:
        at: (N,), rows, `count` for each series.
        count: number of rows that stay together.
    """
    groups = at.reshape(-1, count)
    chosen = np.linspace(0, len(groups) - 1, max(MOST // count, 1)).astype(int)
    return groups[chosen].ravel()


def origins(at: np.ndarray, owner: np.ndarray, horizon: int, count: int) -> np.ndarray:
    """Choose the last origins of each series, one horizon apart or closer if there is no room.

    Args:
        at: (N,), the rows at which forecasts can be made, in order within each series.
        owner: the series that each row belongs to.
        horizon: H.
        count: the number of origins.

    Returns:
        `count` rows of each series, the earliest first. Series with fewer rows are left out.

    Raises:
        DataError: if no series has enough rows.
    """
    chosen, longest = [], 0
    for rows in np.split(at, np.flatnonzero(np.diff(owner[at])) + 1):
        longest = max(longest, len(rows))
        if len(rows) >= count:
            spacing = min(horizon, (len(rows) - 1) // max(count - 1, 1))
            chosen.append(rows[len(rows) - 1 - spacing * np.arange(count)[::-1]])
    if not chosen:
        raise DataError(
            f"--backtest must be at most {longest}, the number of origins in the data, got "
            f"{count}; take fewer, or train with a larger --test"
        )
    return np.concatenate(chosen)


def measure(forecasts: Forecasts, backtest: int = 0) -> dict[str, Any]:
    """Compare forecasts with the actual values.

    Args:
        forecasts: the result of `forecast`.
        backtest: the number of origins of each series, to report them separately.

    Returns:
        The figures for JSON.
    """
    config, ready, panel = forecasts.config, forecasts.ready, forecasts.panel
    owner = ready.owner[forecasts.at]
    truth = ready.target[forecasts.at[:, None] + np.arange(1, config.horizon + 1)]
    each = {
        name: by_series(truth, values, owner, forecasts.naive)
        for name, values in forecasts.named.items()
    }
    table = {name: mean_over(scores) for name, scores in each.items()}
    figures: dict[str, Any] = {
        "on": forecasts.on,
        "target": config.target,
        "series": len(np.unique(owner)),
        "forecasts": len(forecasts.at),
        "horizon": config.horizon,
        "season": config.season,
        "first": _written(panel, ready.times[forecasts.at + 1].min()),
        "last": _written(panel, ready.times[forecasts.at + config.horizon].max()),
        "tables": {f"all of {config.horizon} steps": table},
    }
    if forecasts.quantiles is not None:
        outermost = interval(truth, forecasts.quantiles, config.quantiles)
        table[MODEL]["pinball"] = outermost.pop("pinball")
        figures["interval"] = outermost
    score = "mase" if "mase" in table[MODEL] else "mae"
    figures["words"] = words(table, score)
    if len(panel.series) > 1:
        values = np.where(np.isfinite(each[MODEL][score]), each[MODEL][score], np.nan)
        for name, place in (("best", np.nanargmin(values)), ("worst", np.nanargmax(values))):
            title = panel.title(panel.series[place].key)
            figures[name] = {"series": title, score: float(values[place])}
    if backtest:
        figures["origins"] = _origins(forecasts, truth, backtest)
    return figures


def words(table: dict[str, dict[str, float]], score: str) -> list[str]:
    """Compare the model with each baseline in words, such as "loses to linear by 3.1%"."""
    phrases = []
    for name, row in table.items():
        if name == MODEL or score not in row:
            continue
        gain = 1 - table[MODEL][score] / row[score] if row[score] else float("-inf")
        if abs(gain) < 0.0005:
            phrases.append(f"as good as {name}")
        elif gain > 0:
            phrases.append(f"beats {name} by {gain:.1%}")
        else:
            phrases.append(f"loses to {name} by {-gain:.1%}")
    return phrases


def say(figures: dict[str, Any]) -> str:
    """Format the figures as tables for a terminal.

    Args:
        figures: the result of `measure`.
    """
    series_count = f"{figures['series']:,} series, " if figures["series"] > 1 else ""
    lines = [
        f"{figures['on']}, {figures['target']}: {series_count}{figures['forecasts']:,} forecasts "
        f"from {figures['first']} to {figures['last']}"
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
        lines.append("each score is the mean over the series")
    for name in ("best", "worst"):
        if name in figures:
            series, (score, value) = figures[name]["series"], list(figures[name].items())[1]
            lines.append(f"{name}: {series}, {score.upper()} {value:.4g}")
    if "interval" in figures:
        outermost = figures["interval"]
        lines.append(
            f"the {outermost['nominal']:.0%} interval contains {outermost['coverage']:.1%} of the "
            "values"
        )
    if "origins" in figures:
        lines.append(f"{'origins, without refitting':28}{'MASE':>11}{'MAE':>11}{'RMSE':>11}")
        for row in figures["origins"]:
            cells = (f"{row.get(key, np.nan):11.4g}" for key in ("mase", "mae", "rmse"))
            lines.append(f"  {row['after']:26}" + "".join(cells))
    return "\n".join(lines)


def picture(forecasts: Forecasts) -> Figure:
    """Draw the last forecast of some series beside the actual values.

    Args:
        forecasts: the result of `forecast`.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    from lstm_jax.plots.multiples import SHOWN, Piece, draw

    ready, config, pieces = forecasts.ready, forecasts.config, []
    owner = ready.owner[forecasts.at]
    point = middle(config)
    for index in np.unique(owner)[:SHOWN]:
        [*_, last] = np.flatnonzero(owner == index)
        stop = forecasts.at[last] + config.horizon + 1
        begin = max(stop - 3 * config.horizon - config.window, ready.spans[index]["train"].start)
        values = forecasts.named[MODEL][last][:, None]
        if forecasts.quantiles is not None:
            values = forecasts.quantiles[last]
        title = forecasts.panel.title(forecasts.panel.series[index].key)
        pieces.append(
            Piece(title, ready.times[begin:stop], ready.target[begin:stop], values, point)
        )
    return draw(pieces, quantiles=config.quantiles, y=config.target)


def _written(panel: Panel, time: np.datetime64 | np.int64) -> str:
    return str(panel.form.write(np.array([time]))[0])


def _origins(forecasts: Forecasts, truth: np.ndarray, count: int) -> list[dict[str, Any]]:
    """Compute the scores of each origin, the earliest first, and their mean."""
    rows = []
    turn = np.arange(len(forecasts.at)) % count
    owner = forecasts.ready.owner[forecasts.at]
    for number in range(count):
        here = turn == number
        scores = by_series(truth[here], forecasts.named[MODEL][here], owner[here], forecasts.naive)
        after = forecasts.ready.times[forecasts.at[here]]
        first, last = (_written(forecasts.panel, time) for time in (after.min(), after.max()))
        label = first if first == last else f"origin {number + 1}"
        rows.append({"after": label, **mean_over(scores)})
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "after"}
    return [*rows, {"after": "mean", **means}]


def _ready(stored: Stored, config: SeriesConfig, scope: Scope) -> tuple[Panel, Prepared, str, str]:
    """Load the panel and prepare its series; also return the split, and a description of it."""
    levels = tuple(tuple(names) for names in stored.description.get("levels", ()))
    if scope.file is not None:
        panel = read_new(config, levels, scope.file)
        ready = prepare_for(
            config, panel, fitted_for(stored.description, panel), whole=True,
            pad=stored.description.get("pad", 0),
        )  # fmt: skip
        known = {tuple(key) for key in stored.description["keys"]}
        new = sum(series.key not in known for series in panel.series)
        # Nothing of a new series was known before, so its scale comes from all of its rows.
        note = f", with {new:,} new series scaled by all their rows"
        return panel, ready, "train", panel.name + (note if new else "")
    if scope.given is None and not config.file:
        raise DataError(
            "the model was trained on a data frame, which is not saved; pass the data with --file"
        )
    panel, *_ = load_panel(config, scope.given, levels=levels)
    if panel.sha256 != config.data_sha256:
        raise ModelError(
            f"{panel.name} is not the data that the model was trained on (its SHA-256 differs); "
            "pass it with --file, or train again"
        )
    ready = prepare_for(config, panel, fitted_for(stored.description, panel))
    return panel, ready, scope.split, f"{panel.name}, {scope.split}"
