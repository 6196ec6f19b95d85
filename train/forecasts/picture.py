"""The picture of forecasts. Import this module only when needed, because it needs matplotlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lstm_jax.plots.drawing import Axes, default_style, new_figure
from lstm_jax.plots.forecast import forecast_line, gains
from lstm_jax.train.forecasts.verdict import MODEL, NAIVE, Forecasts

SHOWN = 150  # rows, in pictures without a rolled forecast


def draw(forecasts: Forecasts, path: Path) -> None:
    """Draw a rolled forecast, or the gain over persistence, as a PNG.

    Args:
        forecasts: the result of `verdict.forecast`.
        path: the file to write.
    """
    with default_style():
        figure = new_figure(1, 2, size=(8.4, 3.0))
        above, below = figure.axes
        if forecasts.rolled is not None and forecasts.config.horizon == 1:
            _draw_roll(forecasts, forecasts.rolled[0], above, below)
        else:
            _draw_gains(forecasts, above, below)
        figure.savefig(path, dpi=100)


def _draw_roll(forecasts: Forecasts, rolled: np.ndarray, above: Axes, below: Axes) -> None:
    """Draw the first rolled forecast, the forecasts one step ahead, and the errors of both."""
    config, ready = forecasts.config, forecasts.ready
    rows = forecasts.at[: config.roll] + 1
    times, truth = ready.times[rows], ready.target[rows]
    ahead = forecasts.named[MODEL][: config.roll, 0]
    lines = {"one step ahead": ahead, "reading its own forecasts": rolled}
    forecast_line(times, truth, lines, title=config.data, y=config.target, axes=above)
    clean = truth if ready.clean is None else ready.clean[rows]
    errors = {name: values - clean for name, values in lines.items()}
    title = "error against the clean wave" if config.noise else "error"
    forecast_line(times, None, errors, title=title, axes=below)


def _ahead(times: np.ndarray, steps: int) -> str:
    """Format how far ahead a forecast is: "1 day", "24 hours", or in steps for numeric times."""
    if times.dtype.kind == "M" and len(times) > 1:
        step = np.median(np.diff(times)) / np.timedelta64(1, "s")
        for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
            if steps * step >= seconds and steps * step % seconds == 0:
                count = int(steps * step // seconds)
                return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{steps} step{'s' if steps > 1 else ''}"


def _draw_gains(forecasts: Forecasts, above: Axes, below: Axes) -> None:
    """Draw the forecasts at the horizon beside persistence, and the cumulative gain over it."""
    config, ready, step = forecasts.config, forecasts.ready, forecasts.config.horizon
    rows = forecasts.at + step
    truth, shown = ready.target[rows], slice(-SHOWN, None)
    last = {name: values[:, -1] for name, values in forecasts.named.items()}
    lines = {
        f"LSTM, {_ahead(ready.times, step)} ahead": last[MODEL],
        NAIVE: last[NAIVE],
        "truth": truth,
    }
    if forecasts.quantiles is not None:
        lines |= {"low": forecasts.quantiles[:, -1, 0], "high": forecasts.quantiles[:, -1, -1]}
    label = f"{config.target} ({forecasts.unit})"
    if config.predict == "return":
        # Show changes: forecast prices would just follow the truth a day late.
        lines = {name: 100 * np.log(v / ready.target[forecasts.at]) for name, v in lines.items()}
        label = f"{config.target}: change (%)"
    lines = {name: values[shown] for name, values in lines.items()}
    band = (lines.pop("low"), lines.pop("high")) if forecasts.quantiles is not None else None
    forecast_line(
        ready.times[rows[shown]], lines.pop("truth"), lines,
        band=band, quantiles=config.quantiles, title=config.data, y=label, axes=above,
    )  # fmt: skip
    naive = np.abs(last[NAIVE] - truth)
    gained = {name: naive - np.abs(last[name] - truth) for name in (MODEL, "linear")}
    named = {f"{n}, skill {g.mean() / naive.mean():+.1%}": g.cumsum() for n, g in gained.items()}
    gains(ready.times[rows], named, y=forecasts.unit, axes=below)
