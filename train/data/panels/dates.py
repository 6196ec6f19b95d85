"""Reading of cells as times, in a format that is inferred from the first cell or from all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.forms import Form
from lstm_jax.train.data.panels.times import zone_of
from lstm_jax.train.data.tables import Cell, Table, shown

CLOCK = r"(?:(T|,? +)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?"
YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})(?:\2(\d{1,2}))?" + CLOCK, re.ASCII)
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + CLOCK, re.ASCII)
GOOD = "2024-03-01 or 2024-03-01T12:30"
EPOCHS = {
    1: (10**8, 10**10), 10**3: (10**11, 10**13), 10**6: (10**14, 10**16), 10**9: (10**17, 10**19),
}  # fmt: skip
"""Units per second -> range of integers that are read as times since 1970, from 1973 to 2286."""

UNITS = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}
JOINED = {
    "%Y%m%d": (1500_01_01, 2200_12_31, "year, month and day"),
    "%Y%m": (1900_01, 2199_12, "year and month"),
    "%Y%m%d%H": (1900_01_01_00, 2199_12_31_23, "year, month, day and hour"),
    "%Y%m%d%H%M": (1900_01_01_00_00, 2199_12_31_23_59, "year, month, day, hour and minute"),
}
"""Pattern of an integer -> the range of integers that are read by it, and their parts."""

Reader: TypeAlias = Callable[[Cell], datetime]
"""Reads a cell; raises ValueError, TypeError or OverflowError if the cell is not a time."""


class Style(NamedTuple):
    """Store the form of the cells of a column, their reader (None for row numbers), and notes."""

    read: Reader | None
    form: Form
    notes: list[str]


def find_form(table: Table, column: str, rows: Mapping[Cell, int], pattern: str = "") -> Style:
    """Infer how the times of a column are written.

    Args:
        table: the table, for errors.
        column: name of the column.
        rows: each distinct cell -> the first row that contains it.
        pattern: format of texts, as for strptime; "" if it is not known.

    Raises:
        DataError: if the first cell is not a time, or days and months cannot be told apart.
    """
    cell = next(iter(rows))
    if isinstance(cell, date):
        return Style(_read_object, Form("datetime" if isinstance(cell, datetime) else "date"), [])
    if pattern:
        kind = "text" if isinstance(cell, str) else "digits"
        read = partial(_read_pattern, pattern)
        return Style(read, Form(kind, pattern.replace("%z", ""), offset=_pattern_ends(pattern)), [])
    numbers = whole_numbers(rows)
    if numbers:
        return _of_numbers(column, numbers)
    text = cell.strip() if isinstance(cell, str) else ""
    match = YEAR_LAST.fullmatch(text)
    if match:
        first, note = _order(table, column, rows)
        marks = ("%d", "%m", "%Y") if first == "day" else ("%m", "%d", "%Y")
        form = Form("text", match[2].join(marks) + _clock(match), offset=_ends(match))
        return Style(partial(_read_year_last, first), form, [note])
    match = YEAR_FIRST.fullmatch(text)
    if not match:
        raise no_time(table, column, rows[cell], cell, pattern)
    marks = ("%Y", "%m", "%d") if match[4] else ("%Y", "%m")
    form = Form("text", match[2].join(marks) + _clock(match), offset=_ends(match))
    return Style(_read_year_first, form, [])


def whole_numbers(cells: Sequence[Cell] | Mapping[Cell, int]) -> list[int] | None:
    """Convert cells to integers; return None if any cell is something else."""
    numbers = (int, float, np.integer, np.floating)
    integers = []
    for cell in cells:
        if isinstance(cell, str):
            whole = re.fullmatch(r" *-?\d{1,19} *", cell, re.ASCII) is not None
        else:
            number = isinstance(cell, numbers) and not isinstance(cell, bool)
            whole = number and abs(cell) < 2**62 and cell == int(cell)
        if not whole:
            return None
        integers.append(int(cell))
    return integers


def no_time(table: Table, column: str, row: int, cell: Cell, pattern: str = "") -> DataError:
    """Create the error for a cell that is not a time.

    Args:
        table, column, row, cell: place and content of the cell.
        pattern: the expected format; "" if there is none.
    """
    place = f"{table.place(row)}: {column} must be a time"
    if pattern:
        return DataError(
            f"{place} in the --time-format {pattern}, got {shown(cell)}: correct one of them"
        )
    return DataError(
        f"{place} such as {GOOD}, got {shown(cell)}: correct it, or set the format of all times "
        "with --time-format, such as %d.%m.%Y"
    )


def _of_numbers(column: str, numbers: list[int]) -> Style:
    low, high = min(numbers), max(numbers)
    if low >= 1500 and high <= 2200:
        return Style(_read_year, Form("digits", "%Y"), [f"{column} is read as years"])
    for pattern, (first, last, words) in JOINED.items():
        if first <= low and high <= last and all(_fits(pattern, n) for n in numbers):
            note = f"{column} is read as {words} without separators"
            return Style(partial(_read_digits, pattern), Form("digits", pattern), [note])
    for scale, (minimum, maximum) in EPOCHS.items():
        if minimum <= low and high < maximum:
            note = f"{column} is read as {UNITS[scale]} since 1970-01-01 in UTC"
            return Style(partial(_read_epoch, scale), Form("epoch", scale=scale), [note])
    return Style(None, Form("row"), [])


def _read_object(cell: Cell) -> datetime:
    if isinstance(cell, datetime):
        return datetime(*cell.timetuple()[:6], tzinfo=cell.tzinfo, fold=cell.fold)
    return datetime(cell.year, cell.month, cell.day)


def _read_pattern(pattern: str, cell: Cell) -> datetime:
    try:
        return datetime.strptime(str(cell).strip(), pattern)
    except re.error as error:  # raised for a pattern that contains the year twice
        raise ValueError(str(error)) from None


def _read_year(cell: Cell) -> datetime:
    return datetime(int(cell), 1, 1)


def _read_digits(pattern: str, cell: Cell) -> datetime:
    return _read_pattern(pattern, int(cell))  # frames with missing cells hold floats


def _fits(pattern: str, number: int) -> bool:
    try:
        _read_digits(pattern, number)
    except ValueError:
        return False
    return True


def _read_epoch(scale: int, cell: Cell) -> datetime:
    return datetime.fromtimestamp(int(cell) // scale, UTC)


def _read_year_first(cell: Cell) -> datetime:
    if isinstance(cell, date):
        return _read_object(cell)
    year, _, month, day, *clock = _parts(YEAR_FIRST, cell)
    return _made(year, month, day or "1", clock)


def _read_year_last(first: str, cell: Cell) -> datetime:
    first_number, _, second_number, year, *clock = _parts(YEAR_LAST, cell)
    day, month = (first_number, second_number) if first == "day" else (second_number, first_number)
    return _made(year, month, day, clock)


def _parts(expected: re.Pattern[str], cell: Cell) -> Sequence[str]:
    match = expected.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        raise ValueError("not a time")
    return match.groups()


def _made(year: str, month: str, day: str, clock: Sequence[str]) -> datetime:
    _, hour, minute, second, offset = clock
    zone = zone_of("UTC" if offset == "Z" else offset) if offset else None
    numbers = (int(part or 0) for part in (year, month, day, hour, minute, second))
    return datetime(*numbers, tzinfo=zone)


def _order(table: Table, column: str, rows: Mapping[Cell, int]) -> tuple[str, str]:
    """Infer from a number above 12 whether the day or the month comes first."""
    above: dict[int, int] = {}
    for cell, row in rows.items():
        match = YEAR_LAST.fullmatch(cell.strip()) if isinstance(cell, str) else None
        if not match:
            raise no_time(table, column, row, cell)
        for place in (1, 3):
            if int(match[place]) > 12:
                above.setdefault(place, row)
    if len(above) == 2:
        raise DataError(
            f"{column} has the day first in {table.place(above[1])}, but the month first in "
            f"{table.place(above[3])}: write all times in the same format, such as {GOOD}"
        )
    if not above:
        raise DataError(
            f"{table.place(0)}: {column} is {shown(next(iter(rows)))}, and no row shows whether "
            "the day or the month comes first: set --time-format %d/%m/%Y or %m/%d/%Y"
        )
    place, row = next(iter(above.items()))
    first = "day" if place == 1 else "month"
    return first, f"{column} has the {first} first, as {table.place(row)} shows"


def _clock(match: re.Match[str]) -> str:
    between, hour, _, second = match.groups()[4:8]
    return "" if hour is None else f"{between}%H:%M" + (":%S" if second else "")


def _ends(match: re.Match[str]) -> str:
    return {None: "", "Z": "Z"}.get(match.groups()[8], "+00:00")


def _pattern_ends(pattern: str) -> str:
    return "+00:00" if "%z" in pattern else ""
