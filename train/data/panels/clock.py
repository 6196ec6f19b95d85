"""Conversion of a column of times to UTC: offsets, time zones and changes of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.dates import Style, find_form, no_time, whole_numbers
from lstm_jax.train.data.panels.forms import Form
from lstm_jax.train.data.panels.times import PLAIN, offset_name, zone_of
from lstm_jax.train.data.tables import Cell, Table, is_missing, shown


class Read(NamedTuple):
    """Store the times of N rows.

    `times` (N,) are datetime64[s] in UTC, or int64 if they are row numbers. `later` (N,) are the
    seconds between the two instants at which a clock shows the time of the cell, mostly 0.
    """

    times: np.ndarray
    later: np.ndarray
    form: Form
    notes: list[str]


def read_times(table: Table, column: str, *, pattern: str = "", zone: str = "") -> Read:
    """Read a column of times.

    Args:
        table: the table.
        column: name of the column, which holds ISO 8601 texts, datetimes or dates, years, seconds
            or milliseconds since 1970, or row numbers.
        pattern: format of texts, as for strptime; if "", ISO 8601, or days and months in an order
            that is inferred from a day above the 12th.
        zone: time zone of times without an offset.

    Raises:
        DataError: if the column or the zone does not exist, or a cell is not a time; the message
            names the row.
    """
    zone_of(zone)
    rows: dict[Cell, int] = {}
    first = np.empty(len(table), np.int64)
    for row, cell in enumerate(table.column(column)):
        if is_missing(cell):
            raise DataError(f"{table.place(row)}: {column} is empty, but every row needs a time")
        try:
            first[row] = rows.setdefault(cell, row)
        except TypeError:  # a list or an object of JSON
            raise no_time(table, column, row, cell, pattern) from None
    # The distinct cells are in the order of their first rows.
    indices = np.searchsorted(np.fromiter(rows.values(), np.int64), first)
    style = find_form(table, column, rows, pattern)
    if style.read is None:
        times, later, form = np.array(whole_numbers(rows)), np.zeros(len(rows), int), style.form
    else:
        times, later, form, offsets = _in_utc(table, column, rows, style, pattern, zone)
        if len(offsets) > 1 and not zone:
            style.notes.append(
                f"{column} has {len(offsets)} offsets from UTC: forecasts will be in UTC unless "
                "--zone names a time zone"
            )
    return Read(times[indices], later[indices], form, style.notes)


def _in_utc(
    table: Table, column: str, rows: Mapping[Cell, int], style: Style, pattern: str, zone: str
) -> tuple[np.ndarray, np.ndarray, Form, Mapping[str, int]]:
    """Read each of the distinct cells."""
    times, later = [], []
    local_zone = zone_of(zone)
    naive, offsets = {}, {}  # zone -> the first row with it
    for cell, row in rows.items():
        try:
            time = style.read(cell) if style.read else datetime.min
            (naive if time.tzinfo is None else offsets).setdefault(_name(time), row)
            first, second = _instants(time, local_zone)
        except (TypeError, ValueError, OverflowError):
            raise no_time(table, column, row, cell, pattern) from None
        if time.tzinfo is None and _on(first, local_zone) != time:
            raise DataError(
                f"{table.place(row)}: {column} is {shown(cell)}, a time that the clocks of {zone} "
                "skip when they are put forward: correct it, or set another --zone"
            )
        times.append(first)
        later.append((second - first).seconds)
    if offsets and naive:
        with_offset, without = next(iter(offsets.values())), next(iter(naive.values()))
        raise DataError(
            f"{table.place(without)}: {column} has no offset from UTC, but it has one in "
            f"{table.place(with_offset)}: write all times with an offset, or all without"
        )
    form = _with_zone(style.form, offsets, zone)
    return np.array(times, PLAIN), np.array(later), form, offsets


def _with_zone(form: Form, offsets: Mapping[str, int], zone: str) -> Form:
    """Add the zone in which times are written: the requested zone, or the only one in the data."""
    if not offsets:
        return replace(form, zone=zone, offset="")
    shown_in = zone or (next(iter(offsets)) if len(offsets) == 1 else "UTC")
    is_z = form.offset == "Z" and shown_in == "UTC"
    return replace(form, zone=shown_in, offset="Z" if is_z else "+00:00")


def _instants(time: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the two instants in UTC at which a clock shows a time; mostly they are the same."""
    if time.tzinfo is not None:
        instant = time.astimezone(UTC).replace(tzinfo=None)
        return instant, instant
    first, second = (
        time.replace(tzinfo=zone, fold=fold).astimezone(UTC).replace(tzinfo=None) for fold in (0, 1)
    )
    return first, max(first, second)


def _on(instant: datetime, zone: tzinfo) -> datetime:
    return instant.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def _name(time: datetime) -> str:
    """Return the name of the zone of a time, or its offset if the zone has no name."""
    name = getattr(time.tzinfo, "key", None) or getattr(time.tzinfo, "zone", None)
    seconds = int((time.utcoffset() or timedelta()).total_seconds())
    return str(name) if name else offset_name(seconds) if seconds else "UTC"
