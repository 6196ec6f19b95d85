"""The spacing of times: how to write it, what comes next, and how many steps lie between."""

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

BEYOND = "a time is before the year 1 or after 9999, where dates end"


@dataclass(frozen=True)
class Step:
    """The spacing of evenly spaced times.

    Attributes:
        count: of units from one time to the next.
        unit: "row" numbers rows; "month end" is the same hour of the last day of a month;
            "weekday" knows no Saturdays and Sundays.
        zone: whose clock counts days and months, as `zone_of` has it; UTC if "". Seconds do not
            depend on it, so that an hour lasts an hour when clocks change.
    """

    count: int
    unit: Literal["row", "second", "weekday", "month", "month end"]
    zone: str = ""

    @property
    def every(self) -> str:
        """The spacing as a user writes it: "30min"."""
        if self.unit == "row":
            return str(self.count)
        if self.unit == "weekday":
            return "weekday"
        count, unit = self._largest()
        return f"{count}{unit}" + ("-end" if self.unit == "month end" else "")

    @property
    def name(self) -> str:
        """The spacing in words: "30 minutes"."""
        if self.unit in ("row", "weekday"):
            return self.unit if self.count == 1 else f"{self.count} {self.unit}s"
        count, unit = self._largest()
        end = " (its last day)" if self.unit == "month end" else ""
        return f"{count:,} {NAMES[unit]}{'s' * (count > 1)}{end}"

    @property
    def how_often(self) -> str:
        """How often there is a row: "every 30 minutes", "every month"."""
        return f"every {self.name.removeprefix('1 ')}"

    @property
    def season(self) -> int:
        """Rows after which a pattern is likely to come again: a week of days, a year of months."""
        if self.unit in ("month", "month end"):
            return _whole(12, self.count)
        if self.unit in ("row", "weekday"):
            return 5 if self.unit == "weekday" else 1
        if self.count % (7 * DAY) == 0:
            return _whole(52, self.count // (7 * DAY))
        if self.count % DAY == 0:
            return _whole(7, self.count // DAY)
        # A day of quarters of an hour, an hour of minutes, a minute of seconds.
        return next(
            _whole(size, self.count)
            for size, least in ((DAY, 300), (3600, 30), (60, 0))
            if self.count >= least
        )

    @property
    def pattern(self) -> str:
        """What the season is of: "a week"."""
        if self.season == 1:
            return "no season is known"
        if self.unit in ("month", "month end") or self.count % (7 * DAY) == 0:
            return "a year"
        if self.unit == "weekday" or self.count % DAY == 0:
            return "a week"
        return {DAY: "a day", 3600: "an hour"}.get(self.season * self.count, "a minute")

    def after(self, time: np.datetime64 | np.int64, count: int) -> np.ndarray:
        """Give the times that follow a time.

        Args:
            time: in UTC, or a row number.
            count: of the times that follow.
        """
        return self.add(time, np.arange(1, count + 1))

    def add(self, time: np.datetime64 | np.int64, steps: np.ndarray) -> np.ndarray:
        """Give the times that are so many steps after a time.

        Args:
            time: in UTC, or a row number.
            steps: (N,) whole numbers, which may be below 0.

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
        """Count the whole steps from a time to others; `add` gives a time back that is on a step.

        Args:
            start: in UTC, or a row number.
            times: (N,), none before it.
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
        """Whether the clock of the zone counts its days or months."""
        return self.unit != "second" or self.count % DAY == 0

    def _largest(self) -> tuple[int, str]:
        units = SECONDS if self.unit == "second" else MONTHS
        unit = next(u for u in reversed(units) if self.count % units[u] == 0)
        return self.count // units[unit], unit


def read_step(text: str, zone: str = "") -> Step:
    """Read a spacing as a user writes it.

    Args:
        text: such as "30min"; a number alone is of rows.
        zone: whose clock counts days and months.

    Raises:
        DataError: it is none.
    """
    text = text.strip().lower()
    if text in ("weekday", "1weekday"):
        return Step(1, "weekday", zone)
    found = re.fullmatch(r"(\d{0,9}) ?(s|min|h|d|w|mo|q|y|)(-end)?", text, re.ASCII)
    count, unit, end = found.groups() if found else ("0", "", None)
    number = int(count or "1")
    if not text or number == 0 or (end and unit not in MONTHS):
        raise DataError(f"--every is {text!r}, and a spacing is written as {WRITTEN}")
    if not unit:
        return Step(number, "row")
    if unit in SECONDS:
        return Step(number * SECONDS[unit], "second", zone)
    return Step(number * MONTHS[unit], "month end" if end else "month", zone)


def zone_of(name: str) -> tzinfo:
    """Give a time zone.

    Args:
        name: as the IANA database has it, such as "Europe/Berlin", or an offset, "+02:00".

    Raises:
        DataError: there is none.
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
            f"--zone is {name!r}, and a name such as Europe/Berlin or UTC was expected"
        ) from None


def offset_name(seconds: int) -> str:
    """Write an offset from UTC: "+02:00"."""
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def to_wall(times: np.ndarray, zone: str) -> np.ndarray:
    """Give what a clock in a zone shows at times in UTC, (N,) datetime64[s]."""
    own = zone_of(zone)
    return _each(times, lambda time: _shifted(time.replace(tzinfo=UTC), own), zone)


def to_utc(wall: np.ndarray, zone: str) -> np.ndarray:
    """Give the times in UTC at which a clock in a zone shows them, the first of two."""
    own = zone_of(zone)
    return _each(wall, lambda time: _shifted(time.replace(tzinfo=own), UTC), zone)


def _shifted(time: datetime, zone: tzinfo) -> datetime:
    return time.astimezone(zone).replace(tzinfo=None)


def _each(times: np.ndarray, change: Callable[[datetime], datetime], zone: str) -> np.ndarray:
    if len(times) and not (times.min() >= FIRST and times.max() <= LAST):
        raise DataError(BEYOND)
    if zone in ("", "UTC", "Z"):
        return times
    different, places = np.unique(times.astype(PLAIN), return_inverse=True)
    try:
        return np.array([change(time) for time in different.tolist()], PLAIN)[places]
    except OverflowError:
        raise DataError(BEYOND) from None


def _days_after(step: Step, day: np.datetime64, steps: np.ndarray) -> np.ndarray:
    """Days that are so many steps after a day."""
    if step.unit == "second":
        return day + steps * (step.count // DAY) * A_DAY
    if step.unit == "weekday":
        return np.busday_offset(day, steps * step.count, roll="forward")
    months = day.astype("datetime64[M]") + steps * step.count * A_MONTH
    last = (months + A_MONTH).astype("datetime64[D]") - A_DAY
    if step.unit == "month end":
        return last
    # A 31st is the last day of a month that has none.
    return np.minimum(months.astype("datetime64[D]") + (day - day.astype("datetime64[M]")), last)


def _whole(size: int, part: int) -> int:
    """How often a part goes into a size, 1 if it does not."""
    return size // part if size % part == 0 and size > part else 1
