"""`lstm-jax forecast`: forecasts after the last row of each series, as a table and a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
    """Configure what to forecast, and how many steps."""

    model: tyro.conf.Positional[str]
    """Folder of a run, or its name in runs."""
    file: Path | None = None
    """Table with the columns of the training table, to forecast from its end.
    Rows at the end without a target hold the known future. (the training table if not given)"""
    steps: int = 0
    """Number of steps to forecast.
    Beyond its horizon the model reads its own medians. (the horizon if not given)"""
    out: Path | None = None
    """CSV file to write, with a PNG file beside it. (next.csv in the run's folder)"""
    overwrite: bool = False
    """Overwrite existing files."""
    json: bool = False
    """Print JSON."""


class Coming(NamedTuple):
    """Store the forecasts of S series: `times` (S, steps) and `values` (S, steps, Q)."""

    panel: Panel
    times: tuple[np.ndarray, ...]
    values: np.ndarray


def forecast(options: ForecastOptions) -> Answer:
    """Forecast the steps after the last row of each series, and write a CSV and a PNG file."""
    if options.steps < 0:
        raise ModelError(f"--steps must be at least 1, got {options.steps}")
    stored, config = open_forecaster(options.model)
    out = (
        options.out or storage.find(options.model) / "next.csv"
    )  # evaluate --plot draws forecast.png
    if out.suffix.lower() != ".csv":
        raise ModelError(f"{out}: the name of the file to write must end in .csv")
    picture = out.with_suffix(".png")
    for path in (out, picture):
        if path.exists() and not options.overwrite:
            raise ModelError(f"{path} exists already: use --overwrite, or another --out")
    coming = come(stored, config, panel_for(stored, config, options.file), options.steps)
    columns = columns_of(config, coming)
    notes = notes_of(config, coming, elsewhere=options.file is not None)
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
    report = f"{len(coming.times):,} series, {steps:,} steps each: {' and '.join(written)}"
    told = {name: list(map(_plain, cells)) for name, cells in columns.items()}
    return Answer({"steps": steps, "files": written, "forecast": told}, report, notes)


def open_forecaster(model: str) -> tuple[Stored, SeriesConfig]:
    """Load a model that was trained on a user's own table.

    Args:
        model: folder of a run, or its name.

    Raises:
        ModelError: if the model is of another kind, or was trained on data of the package.
    """
    stored = storage.load(model, "Forecaster")
    config = of_card(SeriesConfig, stored.card)
    if config.data != "own":
        raise ModelError(
            f"{model} must be trained on a table of your own, got a model of {config.data}: see "
            "lstm-jax train series --help"
        )
    return stored, config


def panel_for(stored: Stored, config: SeriesConfig, source: object = None) -> Panel:
    """Read the series to forecast.

    Args:
        stored: the model.
        config: configuration of its run.
        source: a file or a frame; the training file if None.

    Raises:
        DataError: if the table does not exist, or the model cannot read it.
    """
    if source is None and not config.file:
        raise DataError(
            "the model was trained on a data frame, which is not saved: pass the frame, or a --file"
        )
    levels = tuple(tuple(names) for names in stored.description.get("levels", ()))
    return read_new(config, levels, config.file if source is None else source)


def come(stored: Stored, config: SeriesConfig, panel: Panel, steps: int = 0) -> Coming:
    """Forecast the steps after the last known target of each series.

    Beyond the horizon the forecast continues in blocks, each of which reads the medians (or means)
    of the blocks before.

    Args:
        stored: the model.
        config: configuration of its run.
        panel: the series, with the columns that are known in the future.
        steps: number of steps to forecast; the model's horizon if 0.

    Raises:
        DataError: if a series is shorter than the window, or known columns are missing in the
            future.
    """
    steps, horizon = steps or config.horizon, config.horizon
    blocks = -(-steps // horizon)
    lengths = [seen(series) for series in panel.series]
    ahead = [_ahead(panel, series, steps, blocks * horizon) for series in panel.series]
    panel = replace(panel, series=tuple(ahead))
    fitted = fitted_for(stored.description, panel)
    pad = config.window - 1 if 0 in fitted.masked else 0
    short = [length for length in lengths if length - (config.read == "change") < config.window]
    if short and not pad:
        which = panel.title(panel.series[lengths.index(short[0])].key)
        raise DataError(
            f"{which} has {short[0]:,} rows with a {panel.target}, but the model reads "
            f"{config.window}: provide more rows"
        )
    predict, params = make_predict(stored.network), nnx.state(stored.network, nnx.Param)
    forecasts = []
    for block in range(blocks):
        ready = prepare_for(config, panel, fitted, whole=True, pad=pad)
        fitted = fitted._replace(scaler=ready.scaler, target_scaler=ready.target_scaler)
        at = _ends(ready) - blocks * horizon + block * horizon
        values = forecasts_of(config, ready, predict(params, ready.inputs(at)), at)
        forecasts.append(values)
        read = values[..., middle(config)]
        starts = np.array(lengths) + block * horizon
        panel = replace(panel, series=tuple(map(_with, panel.series, starts.tolist(), read)))
    times = tuple(
        series.times[length : length + steps]
        for series, length in zip(panel.series, lengths, strict=True)
    )
    history = tuple(
        series._replace(times=series.times[:length], values=series.values[:length])
        for series, length in zip(panel.series, lengths, strict=True)
    )
    return Coming(replace(panel, series=history), times, np.concatenate(forecasts, 1)[:, :steps])


def columns_of(config: SeriesConfig, coming: Coming) -> dict[str, list]:
    """Arrange a forecast as columns: the series, the time, the target, and its quantiles."""
    target, point = coming.panel.target, middle(config)
    answers = []
    for series, times, values in zip(coming.panel.series, coming.times, coming.values, strict=True):
        columns = {target: values[:, point]}
        columns |= {
            f"{target}_{q:g}": values[:, index]
            for index, q in enumerate(config.quantiles)
            if index != point
        }
        answers.append((series.key, times, columns))
    return answer_columns(coming.panel, answers)


def picture_of(config: SeriesConfig, coming: Coming) -> Figure:
    """Draw the last rows of some series and their forecasts.

    Args:
        config: configuration of the run.
        coming: the forecasts.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    from lstm_jax.plots.multiples import Piece, draw

    panel, pieces = coming.panel, []
    steps = coming.values.shape[1]
    for series, times, values in zip(panel.series, coming.times, coming.values, strict=True):
        last = slice(-max(3 * steps, config.window), None)
        truth = np.concatenate([series.values[last, 0], np.full(steps, np.nan)])
        moments = np.concatenate([series.times[last], times])
        pieces.append(Piece(panel.title(series.key), moments, truth, values, middle(config)))
    return draw(pieces, quantiles=config.quantiles, y=panel.target)


def notes_of(config: SeriesConfig, coming: Coming, *, elsewhere: bool) -> list[str]:
    """Return caveats about a forecast.

    Args:
        config: configuration of the run.
        coming: the forecasts.
        elsewhere: whether the series are not those of the training file.
    """
    steps, notes = coming.values.shape[1], []
    if steps > config.horizon:
        inputs = "medians" if config.quantiles else "means"
        notes.append(
            f"the model forecasts {config.horizon} steps at once; beyond them it reads its own "
            f"{inputs}, so that intervals there are too narrow"
        )
    if elsewhere and config.calendar:
        notes.append(
            "--calendar counts from the first row of each series, which must be at the same place "
            "in its periods as in the training data"
        )
    return notes


def _digits(cells: list) -> list:
    """Format numbers with seven digits, the precision of float32."""
    return [f"{cell:.7g}" if isinstance(cell, float) else cell for cell in cells]


def _plain(cell: Any) -> Any:
    """Convert the dates of Parquet files to ISO 8601, because JSON has no dates."""
    return cell.isoformat() if isinstance(cell, date) else cell


def _ahead(panel: Panel, series: One, steps: int, rows: int) -> One:
    """Extend a series by `rows` rows after its last target, with the values that are known."""
    length = seen(series)
    first = 1 + len(panel.past)
    future = series.values[length:, first:]
    known: np.ndarray = np.asarray(np.isfinite(future).all(1))
    available = len(known) if known.all() else int(known.argmin())
    if panel.known and available < steps:
        raise DataError(
            f"{', '.join(panel.known)} must be known for each of the {steps:,} steps, but "
            f"{panel.title(series.key)} has {available:,} such rows after its last "
            f"{panel.target}: use a --file that ends with rows without {panel.target}, or fewer "
            "--steps"
        )
    values = np.full((length + rows, series.values.shape[1]), np.nan)
    values[:length] = series.values[:length]
    available = min(available, rows)
    values[length : length + available, first:] = future[:available]
    times = np.concatenate([series.times[:length], panel.after(series.times[length - 1], rows)])
    return series._replace(times=times, values=values)


def _with(series: One, start: int, read: np.ndarray) -> One:
    values = series.values.copy()
    values[start : start + len(read), 0] = read
    return series._replace(values=values)


def _ends(ready: Prepared) -> np.ndarray:
    return np.array([spans["train"].stop for spans in ready.spans]) - 1
