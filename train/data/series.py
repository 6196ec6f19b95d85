"""Series to forecast: a wave that the code makes, and three real ones out of installed packages.

    stocks     daily closes of AAPL, GOOG, IBM and MSFT until 2013-03-01, adjusted for splits and
               dividends; bokeh-sampledata (Quandl WIKI prices, public domain)
    weather    Seattle, daily, 2012 to 2015; vega_datasets (NOAA, public domain)
    sensor     sea temperature off Maine, every 30 minutes from 2016-02-15 to 2017-03-22, a buoy's
               sensor; bokeh-sampledata (NERACOOS, free to use and to pass on)

Their files are read as they are, and checked by sha256: the packages' own loaders bring pandas.
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
"""A series' name -> the package that holds it, its file there, and the file's sha256."""
SINE_STEPS = 2000
READING = np.timedelta64(30, "m")


class Series(NamedTuple):
    """Columns of numbers at N evenly spaced times.

    `times` (N,) datetime64, or integers; `values` (N, C) float64, in `unit`; `clean` (N,): the
    first column without its noise, where that is known.
    """

    name: str
    unit: str
    times: np.ndarray
    columns: tuple[str, ...]
    values: np.ndarray
    clean: np.ndarray | None = None

    @property
    def sha256(self) -> str:
        """Of times, columns and values."""
        times = self.times.astype(np.int64).tobytes()
        return hashlib.sha256(
            times + "\n".join(self.columns).encode() + self.values.tobytes()
        ).hexdigest()


def load(name: str, columns: Sequence[str] = (), *, noise: float = 0.0, seed: int = 0) -> Series:
    """Load a series, some of its columns in the order asked for.

    `noise` and `seed` are those of the wave that is made.

    Args:
        name: "sine", or one of `LOADERS`.
        columns: by name; all if none is named.
        noise, seed: of the wave that is made.

    Raises:
        DataError: an unknown column, a package that is missing or another than the pinned one, or
            values that are not finite.
    """
    series = sine(noise, seed) if name == "sine" else LOADERS[name](columns)
    for column in columns:
        if column not in series.columns:
            known = ", ".join(series.columns)
            raise DataError(f"{name} has no column {column!r}; its columns are {known}")
    chosen = tuple(columns) or series.columns
    places = [series.columns.index(column) for column in chosen]
    series = series._replace(columns=chosen, values=series.values[:, places])
    check(series)
    return series


def check(series: Series) -> None:
    """Refuse a series with a value that is not finite.

    Args:
        series: any.

    Raises:
        DataError: for the first such value.
    """
    bad = np.argwhere(~np.isfinite(series.values))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{series.name}: {series.columns[column]} is {series.values[row, column]} at "
            f"{series.times[row]} ({len(bad):,} such values): fill or drop them first"
        )


def sine(noise: float = 0.0, seed: int = 0) -> Series:
    """Make sin(t / 10), 2,000 steps, with Gaussian noise.

    Args:
        noise: its standard deviation.
        seed: of the noise.
    """
    times = np.arange(SINE_STEPS)
    clean = np.sin(times / 10)
    values = clean + noise * np.random.default_rng([seed, 0]).standard_normal(SINE_STEPS)
    return Series("sine", "", times, ("wave",), values[:, None], clean)


def stocks(columns: Sequence[str] = ()) -> Series:
    """Read the days on which each of the columns asked for has a close; GOOG's begin in 2004.

    Args:
        columns: of the four tickers; all if none is named.
    """
    closes: dict[str, dict[str, float]] = {name: {} for name in ("AAPL", "GOOG", "IBM", "MSFT")}
    for row in rows_of("stocks"):
        if row["Ticker"] in closes:
            closes[row["Ticker"]][row["Date"]] = float(row["Adj Close"])
    asked = [closes[column] for column in columns if column in closes] or list(closes.values())
    days = sorted(set.intersection(*map(set, asked)))
    values = [[close.get(day, np.nan) for close in closes.values()] for day in days]
    return Series("stocks", "$", np.array(days, "datetime64[D]"), tuple(closes), np.array(values))


def weather(columns: Sequence[str] = ()) -> Series:
    """Read precipitation (mm), the day's highest and lowest temperature (°C) and wind (m/s).

    Args:
        columns: is not asked: every day has all.
    """
    del columns
    rows = rows_of("weather")
    names = ("precipitation", "temp_max", "temp_min", "wind")
    days = np.array([row["date"].replace("/", "-") for row in rows], "datetime64[D]")
    values = np.array([[float(row[name]) for name in names] for row in rows])
    return Series("weather", "°C", days, names, values)


def sensor(columns: Sequence[str] = ()) -> Series:
    """Read every half hour; where a reading is missing, 24 of 19,249, the one before it stands.

    Args:
        columns: is not asked: there is one.
    """
    del columns
    rows = rows_of("sensor")
    times = np.array([row["time (UTC)"].rstrip("Z") for row in rows], "datetime64[m]")
    values = np.array([float(row["temperature (celsius)"]) for row in rows])
    grid = np.arange(times[0], times[-1] + READING, READING)
    found = np.searchsorted(times, grid, side="right") - 1
    return Series("sensor", "°C", grid, ("temperature",), values[found][:, None])


LOADERS: dict[str, Callable[[Sequence[str]], Series]] = {
    "stocks": stocks,
    "weather": weather,
    "sensor": sensor,
}
"""The real series."""


def rows_of(name: str) -> list[dict[str, str]]:
    """Read the rows of a series' file, by column.

    Args:
        name: one of `FILES`.

    Raises:
        DataError: its package is not installed, or holds another file than the pinned one.
    """
    package, file, digest = FILES[name]
    path = package_folder(package) / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{name}: {path} cannot be read ({error}): {EXTRA} brings it") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise DataError(
            f"{name}: {path} is another file than the pinned one (its sha256 differs): {EXTRA} "
            "brings the version that was read here"
        )
    text = gzip.decompress(content) if file.endswith(".gz") else content
    return list(csv.DictReader(text.decode().splitlines()))


def package_folder(package: str) -> Path:
    """Find where a package is installed, without importing it.

    Args:
        package: its name.

    Raises:
        DataError: it is not.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DataError(f"the package {package} is not installed: {EXTRA}")
    return Path(found.submodule_search_locations[0])


def describe(name: str) -> tuple[dict[str, object], str]:
    """Describe a series for `lstm-jax data`: what it holds, and its columns' ranges.

    Args:
        name: "sine", or one of `LOADERS`.

    Returns:
        Figures for JSON, and some lines for a person.

    Raises:
        DataError: a package that is missing or another than the pinned one.
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
    said = [f"{name}: {len(series.times):,} rows from {first} to {last}"]
    said += [
        f"{column:13} {r['least']:9.3f} to {r['most']:9.3f}, mean {r['mean']:9.3f}"
        for column, r in ranges.items()
    ]
    return figures, "\n".join(said)
