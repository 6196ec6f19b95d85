"""A column of times brought to UTC: offsets, zones, and clocks that are put forward and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.dates import Found, find_form, no_time, whole_numbers
from lstm_jax.train.data.panels.forms import Form
from lstm_jax.train.data.panels.times import PLAIN, offset_name, zone_of
from lstm_jax.train.data.tables import Cell, Table, is_missing, shown


class Read(NamedTuple):
    """Times of N rows.

    `times` (N,): datetime64[s] in UTC, or int64 if they are row numbers. `later` (N,): seconds
    from the first to the second time at which a clock shows what the cell says, mostly 0.
    """

    times: np.ndarray
    later: np.ndarray
    form: Form
    said: list[str]


def read_times(table: Table, column: str, *, pattern: str = "", zone: str = "") -> Read:
    """Read a column of times.

    Args:
        table: that has the column.
        column: of ISO 8601 texts, datetimes or dates, years, seconds or milliseconds since 1970, or
            of row numbers.
        pattern: of texts, as strptime has it; ISO 8601 if "", or days and months in an order that
            some day above the 12th tells.
        zone: of times that do not say their offset.

    Raises:
        DataError: no such column or zone, or a cell that is no time, with its row.
    """
    zone_of(zone)
    rows: dict[Cell, int] = {}
    first = np.empty(len(table), np.int64)
    for row, cell in enumerate(table.column(column)):
        if is_missing(cell):
            raise DataError(f"{table.place(row)}: {column} is empty, and every row needs a time")
        try:
            first[row] = rows.setdefault(cell, row)
        except TypeError:  # a list or an object of JSON
            raise no_time(table, column, row, cell, pattern) from None
    # The different cells stand in the order of their first rows.
    places = np.searchsorted(np.fromiter(rows.values(), np.int64), first)
    found = find_form(table, column, rows, pattern)
    if found.read is None:
        times, later, form = np.array(whole_numbers(rows)), np.zeros(len(rows), int), found.form
    else:
        times, later, form, offsets = _in_utc(table, column, rows, found, pattern, zone)
        if len(offsets) > 1 and not zone:
            found.said.append(
                f"{column} has {len(offsets)} offsets from UTC: answers are in UTC, if --zone "
                "names no zone"
            )
    return Read(times[places], later[places], form, found.said)


def _in_utc(
    table: Table, column: str, rows: Mapping[Cell, int], found: Found, pattern: str, zone: str
) -> tuple[np.ndarray, np.ndarray, Form, Mapping[str, int]]:
    """Read each of the different cells."""
    times, later = [], []
    own = zone_of(zone)
    naive, offsets = {}, {}  # zone -> the first row that has it
    for cell, row in rows.items():
        try:
            time = found.read(cell) if found.read else datetime.min
            (naive if time.tzinfo is None else offsets).setdefault(_name(time), row)
            first, second = _instants(time, own)
        except (TypeError, ValueError, OverflowError):
            raise no_time(table, column, row, cell, pattern) from None
        if time.tzinfo is None and _on(first, own) != time:
            raise DataError(
                f"{table.place(row)}: {column} is {shown(cell)}, which the clocks of {zone} never "
                "show, because they are put forward: mend it, or name another --zone"
            )
        times.append(first)
        later.append((second - first).seconds)
    if offsets and naive:
        with_one, without = next(iter(offsets.values())), next(iter(naive.values()))
        raise DataError(
            f"{table.place(without)}: {column} does not say its offset from UTC, and that of "
            f"{table.place(with_one)} does: write all of them with it, or none"
        )
    form = _with_zone(found.form, offsets, zone)
    return np.array(times, PLAIN), np.array(later), form, offsets


def _with_zone(form: Form, offsets: Mapping[str, int], zone: str) -> Form:
    """Say in which zone times are written: the one asked for, or the only one that came in."""
    if not offsets:
        return replace(form, zone=zone, offset="")
    shown_in = zone or (next(iter(offsets)) if len(offsets) == 1 else "UTC")
    is_z = form.offset == "Z" and shown_in == "UTC"
    return replace(form, zone=shown_in, offset="Z" if is_z else "+00:00")


def _instants(time: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Give the two times in UTC at which a clock shows a time; mostly they are one."""
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
    """Name the zone of a time, by its offset where it has no name."""
    name = getattr(time.tzinfo, "key", None) or getattr(time.tzinfo, "zone", None)
    seconds = int((time.utcoffset() or timedelta()).total_seconds())
    return str(name) if name else offset_name(seconds) if seconds else "UTC"
