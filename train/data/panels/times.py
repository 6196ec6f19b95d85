"""The spacing of times: its notation, the times that follow, and the steps between two times."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from lstm_jax.train.data.download import DataError

DAY = 86_400
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": DAY, "w": 7 * DAY}
MONTHS = {"mo": 1, "q": 3, "y": 12}
NAMES = {
    **{"s": "second", "min": "minute", "h": "hour", "d": "day", "w": "week"},
    **{"mo": "month", "q": "quarter", "y": "year"},
}
WRITTEN = "30s, 15min, 1h, 1d, weekday, 1w, 1mo, 1mo-end (last days of months), 1q or 1y"
PLAIN = np.dtype("datetime64[s]")
A_DAY, A_MONTH = np.timedelta64(1, "D"), np.timedelta64(1, "M")
FIRST, LAST = np.datetime64("0001-01-01T00:00:00"), np.datetime64("9999-12-31T23:59:59")

BEYOND = "a time is before the year 1 or after the year 9999: dates must lie between them"


@dataclass(frozen=True)
class Step:
    """Describe the spacing of evenly spaced times.

    Attributes:
        count: number of units from one time to the next.
        unit: "row" numbers rows; "month end" is the same hour of the last day of a month;
            "weekday" skips Saturdays and Sundays.
        zone: time zone whose clock counts days and months, as in `zone_of`; UTC if "". Seconds do
            not depend on it, so that an hour lasts an hour when clocks change.
    """

    count: int
    unit: Literal["row", "second", "weekday", "month", "month end"]
    zone: str = ""

    @property
    def every(self) -> str:
        """Return the spacing in the notation of `--every`, for example "30min"."""
        if self.unit == "row":
            return str(self.count)
        if self.unit == "weekday":
            return "weekday"
        count, unit = self._largest()
        return f"{count}{unit}" + ("-end" if self.unit == "month end" else "")

    @property
    def name(self) -> str:
        """Return the spacing in words, for example "30 minutes"."""
        if self.unit in ("row", "weekday"):
            return self.unit if self.count == 1 else f"{self.count} {self.unit}s"
        count, unit = self._largest()
        end = " (its last day)" if self.unit == "month end" else ""
        return f"{count:,} {NAMES[unit]}{'s' * (count > 1)}{end}"

    @property
    def how_often(self) -> str:
        """Return how often there is a row, for example "every 30 minutes" or "every month"."""
        return f"every {self.name.removeprefix('1 ')}"

    @property
    def season(self) -> int:
        """Return the rows in a likely season: a week of days, a year of months."""
        if self.unit in ("month", "month end"):
            return _whole(12, self.count)
        if self.unit in ("row", "weekday"):
            return 5 if self.unit == "weekday" else 1
        if self.count % (7 * DAY) == 0:
            return _whole(52, self.count // (7 * DAY))
        if self.count % DAY == 0:
            return _whole(7, self.count // DAY)
        # A day if rows are at least 5 minutes apart, an hour if at least 30 seconds, or a minute.
        return next(
            _whole(size, self.count)
            for size, least in ((DAY, 300), (3600, 30), (60, 0))
            if self.count >= least
        )

    @property
    def pattern(self) -> str:
        """Return the length of the season in words, for example "a week"."""
        if self.season == 1:
            return "no season is known"
        if self.unit in ("month", "month end") or self.count % (7 * DAY) == 0:
            return "a year"
        if self.unit == "weekday" or self.count % DAY == 0:
            return "a week"
        return {DAY: "a day", 3600: "an hour"}.get(self.season * self.count, "a minute")

    def after(self, time: np.datetime64 | np.int64, count: int) -> np.ndarray:
        """Return the times that follow a time.

        Args:
            time: the time, in UTC, or a row number.
            count: how many times to return.
        """
        return self.add(time, np.arange(1, count + 1))

    def add(self, time: np.datetime64 | np.int64, steps: np.ndarray) -> np.ndarray:
        """Add steps to a time.

        Args:
            time: the time, in UTC, or a row number.
            steps: (N,) integers, which may be negative.

        Returns:
            (N,) times.
        """
        if self.unit == "row":
            return np.int64(time) + self.count * steps
        if not self.counts_days:
            return time + self.count * steps.astype("timedelta64[s]")
        wall = to_wall(np.array([time], PLAIN), self.zone)[0]
        day, hour = wall.astype("datetime64[D]"), wall - wall.astype("datetime64[D]")
        return to_utc(_days_after(self, day, steps).astype(PLAIN) + hour, self.zone)

    def between(self, start: np.datetime64 | np.int64, times: np.ndarray) -> np.ndarray:
        """Count the whole steps from a time to later times.

        For a time that lies on a step, this is the inverse of `add`.

        Args:
            start: the first time, in UTC, or a row number.
            times: (N,), none of them before `start`.
        """
        if self.unit == "row":
            return (times - start) // self.count
        if not self.counts_days:
            return (times - start).astype(np.int64) // self.count
        wall = to_wall(np.array([start], PLAIN), self.zone)[0]
        first, days = wall.astype("datetime64[D]"), to_wall(times, self.zone).astype(PLAIN)
        if self.unit == "second":
            return (days - wall).astype(np.int64) // self.count
        days = days.astype("datetime64[D]")
        if self.unit == "weekday":
            return np.busday_count(first, days) // self.count
        months = days.astype("datetime64[M]") - first.astype("datetime64[M]")
        return months.astype(np.int64) // self.count

    @property
    def counts_days(self) -> bool:
        """Return whether the spacing is counted in days or months by the clock of the zone."""
        return self.unit != "second" or self.count % DAY == 0

    def _largest(self) -> tuple[int, str]:
        units = SECONDS if self.unit == "second" else MONTHS
        unit = next(u for u in reversed(units) if self.count % units[u] == 0)
        return self.count // units[unit], unit


def read_step(text: str, zone: str = "") -> Step:
    """Parse a spacing in the notation of `--every`.

    Args:
        text: a text such as "30min"; a number without a unit counts rows.
        zone: time zone whose clock counts days and months.

    Raises:
        DataError: if the text is not a spacing.
    """
    text = text.strip().lower()
    if text in ("weekday", "1weekday"):
        return Step(1, "weekday", zone)
    match = re.fullmatch(r"(\d{0,9}) ?(s|min|h|d|w|mo|q|y|)(-end)?", text, re.ASCII)
    count, unit, end = match.groups() if match else ("0", "", None)
    number = int(count or "1")
    if not text or number == 0 or (end and unit not in MONTHS):
        raise DataError(f"--every must be a spacing such as {WRITTEN}, got {text!r}")
    if not unit:
        return Step(number, "row")
    if unit in SECONDS:
        return Step(number * SECONDS[unit], "second", zone)
    return Step(number * MONTHS[unit], "month end" if end else "month", zone)


def zone_of(name: str) -> tzinfo:
    """Return the time zone with a name.

    Args:
        name: name in the IANA database, such as "Europe/Berlin", or an offset, such as "+02:00".

    Raises:
        DataError: if there is no such zone.
    """
    if name in ("", "UTC", "Z"):
        return UTC
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", name, re.ASCII)
    if offset and int(offset[2]) < 24 and int(offset[3]) < 60:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(size if offset[1] == "+" else -size)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise DataError(
            f"--zone must be the name of a time zone, such as Europe/Berlin or UTC, got {name!r}"
        ) from None


def offset_name(seconds: int) -> str:
    """Format an offset from UTC, for example "+02:00"."""
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def to_wall(times: np.ndarray, zone: str) -> np.ndarray:
    """Convert times in UTC to the local time of a zone, (N,) datetime64[s]."""
    local_zone = zone_of(zone)
    return _each(times, lambda time: _shifted(time.replace(tzinfo=UTC), local_zone), zone)


def to_utc(wall: np.ndarray, zone: str) -> np.ndarray:
    """Convert local times of a zone to UTC; of two possible instants, the first."""
    local_zone = zone_of(zone)
    return _each(wall, lambda time: _shifted(time.replace(tzinfo=local_zone), UTC), zone)


def _shifted(time: datetime, zone: tzinfo) -> datetime:
    return time.astimezone(zone).replace(tzinfo=None)


def _each(times: np.ndarray, change: Callable[[datetime], datetime], zone: str) -> np.ndarray:
    if len(times) and not (times.min() >= FIRST and times.max() <= LAST):
        raise DataError(BEYOND)
    if zone in ("", "UTC", "Z"):
        return times
    distinct, indices = np.unique(times.astype(PLAIN), return_inverse=True)
    try:
        return np.array([change(time) for time in distinct.tolist()], PLAIN)[indices]
    except OverflowError:
        raise DataError(BEYOND) from None


def _days_after(step: Step, day: np.datetime64, steps: np.ndarray) -> np.ndarray:
    """Add steps to a day."""
    if step.unit == "second":
        return day + steps * (step.count // DAY) * A_DAY
    if step.unit == "weekday":
        return np.busday_offset(day, steps * step.count, roll="forward")
    months = day.astype("datetime64[M]") + steps * step.count * A_MONTH
    last = (months + A_MONTH).astype("datetime64[D]") - A_DAY
    if step.unit == "month end":
        return last
    # In a shorter month, a 31st becomes the last day.
    return np.minimum(months.astype("datetime64[D]") + (day - day.astype("datetime64[M]")), last)


def _whole(size: int, part: int) -> int:
    """Return the number of parts in a size, or 1 if it is not a whole number."""
    return size // part if size % part == 0 and size > part else 1
