"""Series to forecast: a generated sine wave, and three real series from installed packages.

    stocks     daily closes of AAPL, GOOG, IBM and MSFT until 2013-03-01, adjusted for splits and
               dividends; bokeh-sampledata (Quandl WIKI prices, public domain)
    weather    Seattle, daily, 2012 to 2015; vega_datasets (NOAA, public domain)
    sensor     sea temperature off Maine, every 30 minutes from 2016-02-15 to 2017-03-22, measured
               by a buoy; bokeh-sampledata (NERACOOS, free to use and to redistribute)

The files are read directly and checked by sha256, because the loaders of the packages need pandas.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError

EXTRA = 'pip install "lstm_jax[datasets]"'
FILES = {
    "stocks": (
        "bokeh_sampledata",
        "_data/stocks.csv.gz",
        "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
    ),
    "sensor": (
        "bokeh_sampledata",
        "_data/sea_surface_temperature.csv.gz",
        "529155ac773634b0dca439781a839487640db92e2bdb597e372a2b0ba0ffbff0",
    ),
    "weather": (
        "vega_datasets",
        "_data/seattle-weather.csv",
        "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b",
    ),
}
"""Name of a series -> the package that holds it, the file in the package, and its sha256."""
SINE_STEPS = 2000
READING = np.timedelta64(30, "m")


class Series(NamedTuple):
    """Store columns of numbers at N evenly spaced times.

    `times` (N,) are datetime64 or integers; `values` (N, C) are float64, in `unit`; `clean` (N,)
    is the first column without its noise, where that is known.
    """

    name: str
    unit: str
    times: np.ndarray
    columns: tuple[str, ...]
    values: np.ndarray
    clean: np.ndarray | None = None

    @property
    def sha256(self) -> str:
        """Return a digest of the times, columns and values."""
        times = self.times.astype(np.int64).tobytes()
        return hashlib.sha256(
            times + "\n".join(self.columns).encode() + self.values.tobytes()
        ).hexdigest()


def load(name: str, columns: Sequence[str] = (), *, noise: float = 0.0, seed: int = 0) -> Series:
    """Load a series, with the requested columns in the requested order.

    Args:
        name: "sine", or one of `LOADERS`.
        columns: names of the columns; all of them if empty.
        noise, seed: noise of the sine wave, as in `sine`; other series ignore them.

    Raises:
        DataError: if a column is unknown, the package is missing or not the pinned version, or a
            value is not finite.
    """
    series = sine(noise, seed) if name == "sine" else LOADERS[name](columns)
    for column in columns:
        if column not in series.columns:
            known = ", ".join(series.columns)
            raise DataError(f"{name} has no column {column!r}; its columns are {known}")
    chosen = tuple(columns) or series.columns
    indices = [series.columns.index(column) for column in chosen]
    series = series._replace(columns=chosen, values=series.values[:, indices])
    check(series)
    return series


def check(series: Series) -> None:
    """Raise an error if a series has a value that is not finite.

    Args:
        series: the series to check.

    Raises:
        DataError: if a value is not finite; the message names the first one.
    """
    bad = np.argwhere(~np.isfinite(series.values))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{series.name}: {series.columns[column]} is {series.values[row, column]} at "
            f"{series.times[row]} ({len(bad):,} such values): fill or drop them first"
        )


def sine(noise: float = 0.0, seed: int = 0) -> Series:
    """Generate 2,000 steps of sin(t / 10), with Gaussian noise.

    Args:
        noise: standard deviation of the noise.
        seed: seed of the noise.
    """
    times = np.arange(SINE_STEPS)
    clean = np.sin(times / 10)
    values = clean + noise * np.random.default_rng([seed, 0]).standard_normal(SINE_STEPS)
    return Series("sine", "", times, ("wave",), values[:, None], clean)


def stocks(columns: Sequence[str] = ()) -> Series:
    """Read the days on which every requested ticker has a closing price; GOOG starts in 2004.

    Args:
        columns: some of the four tickers; all of them if empty.
    """
    closes: dict[str, dict[str, float]] = {name: {} for name in ("AAPL", "GOOG", "IBM", "MSFT")}
    for row in rows_of("stocks"):
        if row["Ticker"] in closes:
            closes[row["Ticker"]][row["Date"]] = float(row["Adj Close"])
    chosen = [closes[column] for column in columns if column in closes] or list(closes.values())
    days = sorted(set.intersection(*map(set, chosen)))
    values = [[close.get(day, np.nan) for close in closes.values()] for day in days]
    return Series("stocks", "$", np.array(days, "datetime64[D]"), tuple(closes), np.array(values))


def weather(columns: Sequence[str] = ()) -> Series:
    """Read the daily precipitation (mm), highest and lowest temperature (°C), and wind (m/s).

    Args:
        columns: ignored, because every day has all columns.
    """
    del columns
    rows = rows_of("weather")
    names = ("precipitation", "temp_max", "temp_min", "wind")
    days = np.array([row["date"].replace("/", "-") for row in rows], "datetime64[D]")
    values = np.array([[float(row[name]) for name in names] for row in rows])
    return Series("weather", "°C", days, names, values)


def sensor(columns: Sequence[str] = ()) -> Series:
    """Read the half-hourly temperatures; the 24 of 19,249 that are missing repeat the one before.

    Args:
        columns: ignored, because there is only one.
    """
    del columns
    rows = rows_of("sensor")
    times = np.array([row["time (UTC)"].rstrip("Z") for row in rows], "datetime64[m]")
    values = np.array([float(row["temperature (celsius)"]) for row in rows])
    grid = np.arange(times[0], times[-1] + READING, READING)
    latest = np.searchsorted(times, grid, side="right") - 1
    return Series("sensor", "°C", grid, ("temperature",), values[latest][:, None])


LOADERS: dict[str, Callable[[Sequence[str]], Series]] = {
    "stocks": stocks,
    "weather": weather,
    "sensor": sensor,
}
"""Name of a real series -> its loader."""


def rows_of(name: str) -> list[dict[str, str]]:
    """Read the rows of the file of a series, as dicts by column.

    Args:
        name: one of `FILES`.

    Raises:
        DataError: if the package is not installed, or its file is not the pinned one.
    """
    package, file, digest = FILES[name]
    path = package_folder(package) / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{name}: {path} cannot be read ({error}): {EXTRA} installs it") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise DataError(
            f"{name}: {path} is not the pinned file (its sha256 differs): {EXTRA} installs the "
            "pinned version"
        )
    text = gzip.decompress(content) if file.endswith(".gz") else content
    return list(csv.DictReader(text.decode().splitlines()))


def package_folder(package: str) -> Path:
    """Find the folder of an installed package, without importing it.

    Args:
        package: name of the package.

    Raises:
        DataError: if the package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"the package {package} is not installed: {EXTRA}")
    return Path(spec.submodule_search_locations[0])


def describe(name: str) -> tuple[dict[str, object], str]:
    """Describe a series for `lstm-jax data`: its length, and the range of each column.

    Args:
        name: "sine", or one of `LOADERS`.

    Returns:
        Figures for JSON, and lines of text for a person.

    Raises:
        DataError: if the package is missing or not the pinned version.
    """
    series = load(name)
    first, last = series.times[0], series.times[-1]
    ranges = {
        column: {"least": float(values.min()), "mean": float(values.mean()), "most": values.max()}
        for column, values in zip(series.columns, series.values.T, strict=True)
    }
    figures = {
        "name": name,
        "rows": len(series.times),
        "first": str(first),
        "last": str(last),
        "sha256": series.sha256,
        "columns": ranges,
    }
    lines = [f"{name}: {len(series.times):,} rows from {first} to {last}"]
    lines += [
        f"{column:13} {bounds['least']:9.3f} to {bounds['most']:9.3f}, mean {bounds['mean']:9.3f}"
        for column, bounds in ranges.items()
    ]
    return figures, "\n".join(lines)
