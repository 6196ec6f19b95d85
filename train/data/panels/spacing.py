"""The spacing of the times of a table, inferred from their differences."""

from __future__ import annotations

import numpy as np

from lstm_jax.train.data.panels.times import A_DAY, DAY, Step, to_wall

FRIDAY = 4


def find_step(times: np.ndarray, codes: np.ndarray, zone: str = "") -> Step | None:
    """Find the most frequent difference between consecutive rows of the same series.

    Months, quarters, years and last days of months are recognized by the calendar, and days by the
    clock of the zone. If rows lie before and after a weekend but never on one, days are weekdays.

    Args:
        times: (N,), in UTC or row numbers, increasing within each series.
        codes: (N,), index of the series of each row, increasing.
        zone: time zone whose clock counts days and months.

    Returns:
        The spacing, or None if every series has only one time.
    """
    pairs = np.flatnonzero((codes[1:] == codes[:-1]) & (times[1:] > times[:-1]))
    if not len(pairs):
        return None
    if times.dtype == np.int64:
        return Step(_most_frequent(times[pairs + 1] - times[pairs]), "row")
    wall = to_wall(times, zone)
    by_calendar = _months(wall, pairs, zone)
    if by_calendar:
        return by_calendar
    size = _most_frequent((wall[pairs + 1] - wall[pairs]).astype(np.int64))
    if size == DAY and _only_weekdays(wall, pairs):
        return Step(1, "weekday", zone)
    if size % DAY:
        # Spacings that are not whole days are counted in UTC, so that changes of the clock have no
        # effect.
        size = _most_frequent((times[pairs + 1] - times[pairs]).astype(np.int64))
    return Step(size, "second", zone)


def _months(wall: np.ndarray, pairs: np.ndarray, zone: str) -> Step | None:
    """Find a spacing of whole months, on the same day of the month or on its last day."""
    days, months = wall.astype("datetime64[D]"), wall.astype("datetime64[M]")
    distances = (months[pairs + 1] - months[pairs]).astype(np.int64)
    hours = wall - days
    if distances.min() < 1 or (hours[pairs + 1] != hours[pairs]).any():
        return None
    number = (days - months.astype("datetime64[D]")).astype(np.int64)
    if (number[pairs + 1] == number[pairs]).all():
        return Step(_most_frequent(distances), "month", zone)
    if ((days + A_DAY).astype("datetime64[M]") > months).all():
        return Step(_most_frequent(distances), "month end", zone)
    return None


def _only_weekdays(wall: np.ndarray, pairs: np.ndarray) -> bool:
    days = wall.astype("datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    over_weekend = weekday[pairs + 1] < weekday[pairs]
    return bool(weekday.max() <= FRIDAY and over_weekend.any())


def _most_frequent(sizes: np.ndarray) -> int:
    """Return the most frequent number, the smallest if there is a tie."""
    values, counts = np.unique(sizes, return_counts=True)
    return int(values[counts.argmax()])
