"""The picture of forecasts. It takes matplotlib: import it when a picture is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lstm_jax.plots.drawing import Axes, default_style, new_figure
from lstm_jax.plots.forecast import forecast_line, gains
from lstm_jax.train.forecasts.verdict import MODEL, NAIVE, Forecasts

SHOWN = 150  # rows, where nothing is rolled


def draw(found: Forecasts, path: Path) -> None:
    """Draw forecasts that follow one another, or what is gained on persistence, as a PNG.

    Args:
        found: what `verdict.forecast` gives.
        path: of the picture.
    """
    with default_style():
        figure = new_figure(1, 2, size=(8.4, 3.0))
        above, below = figure.axes
        if found.rolled is not None and found.config.horizon == 1:
            _draw_roll(found, found.rolled[0], above, below)
        else:
            _draw_gains(found, above, below)
        figure.savefig(path, dpi=100)


def _draw_roll(found: Forecasts, rolled: np.ndarray, above: Axes, below: Axes) -> None:
    """The first forecast that reads itself, beside those one step ahead, and the errors of both."""
    config, ready = found.config, found.ready
    rows = found.at[: config.roll] + 1
    times, truth = ready.times[rows], ready.target[rows]
    ahead = found.named[MODEL][: config.roll, 0]
    lines = {"one step ahead": ahead, "reading its own forecasts": rolled}
    forecast_line(times, truth, lines, title=config.data, y=config.target, axes=above)
    clean = truth if ready.clean is None else ready.clean[rows]
    wrong = {name: values - clean for name, values in lines.items()}
    title = "error against the clean wave" if config.noise else "error"
    forecast_line(times, None, wrong, title=title, axes=below)


def _ahead(times: np.ndarray, steps: int) -> str:
    """Say how far a forecast reaches: "1 day", "24 hours"; in steps where times are numbers."""
    if times.dtype.kind == "M" and len(times) > 1:
        step = np.median(np.diff(times)) / np.timedelta64(1, "s")
        for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
            if steps * step >= seconds and steps * step % seconds == 0:
                count = int(steps * step // seconds)
                return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{steps} step{'s' if steps > 1 else ''}"


def _draw_gains(found: Forecasts, above: Axes, below: Axes) -> None:
    """The last step of the horizon beside persistence, and what is gained on that in the split."""
    config, ready, step = found.config, found.ready, found.config.horizon
    rows = found.at + step
    truth, shown = ready.target[rows], slice(-SHOWN, None)
    last = {name: values[:, -1] for name, values in found.named.items()}
    lines = {
        f"LSTM, {_ahead(ready.times, step)} ahead": last[MODEL],
        NAIVE: last[NAIVE],
        "truth": truth,
    }
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
        band=band, quantiles=config.quantiles, title=config.data, y=label, axes=above,
    )  # fmt: skip
    naive = np.abs(last[NAIVE] - truth)
    gained = {name: naive - np.abs(last[name] - truth) for name in (MODEL, "linear")}
    named = {f"{n}, skill {g.mean() / naive.mean():+.1%}": g.cumsum() for n, g in gained.items()}
    gains(ready.times[rows], named, y=found.unit, axes=below)
