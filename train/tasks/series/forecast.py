"""`lstm-jax forecast`: what comes after the last row of each series, in a table and a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tyro
from flax import nnx

from lstm_jax.files import write_whole
from lstm_jax.models import storage
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.config import of_card
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.answers import answer_columns
from lstm_jax.train.data.panels.load import read_new
from lstm_jax.train.data.panels.panel import One, Panel, seen
from lstm_jax.train.data.panels.windows import Prepared
from lstm_jax.train.data.tables import as_csv
from lstm_jax.train.problem import Answer
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.load import fitted_for, prepare_for
from lstm_jax.train.tasks.series.outputs import forecasts_of, make_predict, middle

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure


@dataclass(frozen=True)
class ForecastOptions:
    """What to go on from, and how far."""

    model: tyro.conf.Positional[str]
    """A run's folder, or the name of one in runs."""
    file: Path | None = None
    """A table with the columns that the model learned from, to go on from its end; rows at the end
    without a target say what is known of the future. (that which it learned from, if not given)"""
    steps: int = 0
    """How many steps to forecast; those beyond the model's horizon read its own median. (the
    horizon if not given)"""
    out: Path | None = None
    """The CSV file to write, and a PNG beside it. (next.csv in the run's folder)"""
    overwrite: bool = False
    """Write over files that are there."""
    json: bool = False
    """Print JSON."""


class Coming(NamedTuple):
    """What comes after the last row of each series: `times` (S, steps), `values` (S, steps, Q)."""

    panel: Panel
    times: tuple[np.ndarray, ...]
    values: np.ndarray


def forecast(options: ForecastOptions) -> Answer:
    """Forecast what comes after the last row of each series, and write it to a CSV and a PNG."""
    if options.steps < 0:
        raise ModelError(f"--steps must be at least 1, got {options.steps}")
    stored, config = open_forecaster(options.model)
    out = (
        options.out or storage.find(options.model) / "next.csv"
    )  # evaluate --plot draws forecast.png
    picture = out.with_suffix(".png")
    for path in (out, picture):
        if path.exists() and not options.overwrite:
            raise ModelError(f"{path} is there already: give --overwrite or another --out")
    coming = come(stored, config, panel_for(stored, config, options.file), options.steps)
    columns = columns_of(config, coming)
    notes = notes_of(config, coming)
    try:
        write_whole(out, as_csv({name: _digits(cells) for name, cells in columns.items()}))
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error}") from None
    written = [str(out)]
    try:
        picture_of(config, coming).savefig(picture, dpi=100)
        written.append(str(picture))
    except ImportError as error:
        notes.append(f"no picture: {error}")
    steps = coming.values.shape[1]
    said = f"{len(coming.times):,} series, {steps:,} steps each: {' and '.join(written)}"
    return Answer({"steps": steps, "files": written, "forecast": columns}, said, notes)


def open_forecaster(model: str) -> tuple[Stored, SeriesConfig]:
    """Load a model that learned from a table of a user's own.

    Args:
        model: a run's folder, or the name of one.

    Raises:
        ModelError: another kind of model, or one of the package's sets.
    """
    stored = storage.load(model, "Forecaster")
    config = of_card(SeriesConfig, stored.card)
    if config.data != "own":
        raise ModelError(
            f"{model} learned from one of the package's sets, and a forecast goes on from a table "
            "of your own: see lstm-jax train series --help"
        )
    return stored, config


def panel_for(stored: Stored, config: SeriesConfig, source: object = None) -> Panel:
    """Read what a forecast goes on from.

    Args:
        stored: the model.
        config: of its run.
        source: a file or a frame; the file that the model learned from if None.

    Raises:
        DataError: no such table, or another one than the model can read.
    """
    if source is None and not config.file:
        raise DataError("the model learned from a frame, which is not kept: give it, or a --file")
    levels = tuple(tuple(one) for one in stored.description.get("levels", ()))
    return read_new(config, levels, config.file if source is None else source)


def come(stored: Stored, config: SeriesConfig, panel: Panel, steps: int = 0) -> Coming:
    """Forecast what comes after the last known target of each series.

    Beyond the horizon the forecast goes on in blocks, each of which reads the medians of those
    before it, or the means.

    Args:
        stored: the model.
        config: of its run.
        panel: the series, with what is known of their future.
        steps: to forecast; the model's horizon if 0.

    Raises:
        DataError: a series shorter than the window, or a future that is not known.
    """
    steps, horizon = steps or config.horizon, config.horizon
    blocks = -(-steps // horizon)
    lengths = [seen(one) for one in panel.series]
    ahead = [_ahead(panel, one, steps, blocks * horizon) for one in panel.series]
    panel = replace(panel, series=tuple(ahead))
    fitted = fitted_for(stored.description, panel)
    pad = config.window - 1 if 0 in fitted.masked else 0
    short = [length for length in lengths if length - (config.read == "change") < config.window]
    if short and not pad:
        which = panel.title(panel.series[lengths.index(short[0])].key)
        raise DataError(
            f"{which} has {short[0]:,} rows with a {panel.target}, and the model reads "
            f"{config.window}: give more of them"
        )
    predict, params = make_predict(stored.network), nnx.state(stored.network, nnx.Param)
    found = []
    for block in range(blocks):
        ready = prepare_for(config, panel, fitted, whole=True, pad=pad)
        fitted = fitted._replace(scaler=ready.scaler, target_scaler=ready.target_scaler)
        at = _ends(ready) - blocks * horizon + block * horizon
        values = forecasts_of(config, ready, predict(params, ready.inputs(at)), at)
        found.append(values)
        read = values[..., middle(config)]
        starts = np.array(lengths) + block * horizon
        panel = replace(panel, series=tuple(map(_with, panel.series, starts.tolist(), read)))
    times = tuple(
        one.times[length : length + steps]
        for one, length in zip(panel.series, lengths, strict=True)
    )
    history = tuple(
        one._replace(times=one.times[:length], values=one.values[:length])
        for one, length in zip(panel.series, lengths, strict=True)
    )
    return Coming(replace(panel, series=history), times, np.concatenate(found, 1)[:, :steps])


def columns_of(config: SeriesConfig, coming: Coming) -> dict[str, list]:
    """Lay a forecast out as columns: the series', the time, the target, and its quantiles."""
    target, point = coming.panel.target, middle(config)
    answers = []
    for one, times, values in zip(coming.panel.series, coming.times, coming.values, strict=True):
        said = {target: values[:, point]}
        said |= {
            f"{target}_{q:g}": values[:, index]
            for index, q in enumerate(config.quantiles)
            if index != point
        }
        answers.append((one.key, times, said))
    return answer_columns(coming.panel, answers)


def picture_of(config: SeriesConfig, coming: Coming) -> Figure:
    """Draw the last rows of some series and what is forecast of them.

    Args:
        config: of the run.
        coming: what `come` gives.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from lstm_jax.plots.multiples import Piece, draw

    panel, pieces = coming.panel, []
    steps = coming.values.shape[1]
    for one, times, values in zip(panel.series, coming.times, coming.values, strict=True):
        last = slice(-max(3 * steps, config.window), None)
        truth = np.concatenate([one.values[last, 0], np.full(steps, np.nan)])
        shown = np.concatenate([one.times[last], times])
        pieces.append(Piece(panel.title(one.key), shown, truth, values, middle(config)))
    return draw(pieces, quantiles=config.quantiles, y=panel.target)


def notes_of(config: SeriesConfig, coming: Coming) -> list[str]:
    """Say what a user should know of a forecast."""
    steps, notes = coming.values.shape[1], []
    if steps > config.horizon:
        read = "medians" if config.quantiles else "means"
        notes.append(
            f"the model forecasts {config.horizon} steps at once: beyond them it read its own "
            f"{read}, and the intervals there are too narrow"
        )
    return notes


def _digits(cells: list) -> list:
    """Write numbers to seven digits, which is what float32 holds."""
    return [f"{cell:.7g}" if isinstance(cell, float) else cell for cell in cells]


def _ahead(panel: Panel, one: One, steps: int, rows: int) -> One:
    """A series with `rows` rows after its last target, in which what is known of them stands."""
    length = seen(one)
    first = 1 + len(panel.past)
    future = one.values[length:, first:]
    known: np.ndarray = np.asarray(np.isfinite(future).all(1))
    have = len(known) if known.all() else int(known.argmin())
    if panel.known and have < steps:
        raise DataError(
            f"{', '.join(panel.known)} must be known for each of the {steps:,} steps, and "
            f"{panel.title(one.key)} has {have:,} such rows after its last {panel.target}: give "
            f"a --file that ends in rows with {panel.target} left empty, or take fewer --steps"
        )
    values = np.full((length + rows, one.values.shape[1]), np.nan)
    values[:length] = one.values[:length]
    have = min(have, rows)
    values[length : length + have, first:] = future[:have]
    times = np.concatenate([one.times[:length], panel.after(one.times[length - 1], rows)])
    return one._replace(times=times, values=values)


def _with(one: One, start: int, read: np.ndarray) -> One:
    values = one.values.copy()
    values[start : start + len(read), 0] = read
    return one._replace(values=values)


def _ends(ready: Prepared) -> np.ndarray:
    return np.array([spans["train"].stop for spans in ready.spans]) - 1
