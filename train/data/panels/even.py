"""Sorting of the rows of a table by time, on even steps; missing rows become NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.times import A_DAY, A_MONTH, DAY, PLAIN, Step, to_utc, to_wall
from lstm_jax.train.data.tables import Table, shown

Time: TypeAlias = np.datetime64 | np.int64
MOST_STEPS = 20
"""Steps per row, beyond which a table is mostly gaps."""


class Ordered(NamedTuple):
    """Store N rows sorted by series and time: `rows` of the table, `codes` of series, `times`."""

    rows: np.ndarray
    codes: np.ndarray
    times: np.ndarray


class Even(NamedTuple):
    """Store a series on even steps: `times` (T,), `values` (T, C), `empty` (T,) where no row is."""

    times: np.ndarray
    values: np.ndarray
    empty: np.ndarray


def put_in_order(codes: np.ndarray, times: np.ndarray, later: np.ndarray) -> Ordered:
    """Sort rows by series and time; rows of equal times keep their order.

    Args:
        codes: (N,), index of the series of each row.
        times: (N,), times of the rows.
        later: (N,), seconds to the second instant at which the clock shows the same time, see
            `Read`. A row that repeats a time of its series is moved to that instant.
    """
    rows = np.lexsort((times, codes))
    repeated = _same(codes[rows], times[rows])
    if (later[rows[1:]][repeated] > 0).any():
        times = times.copy()
        times[rows[1:][repeated]] += later[rows[1:][repeated]].astype("timedelta64[s]")
        rows = np.lexsort((times, codes))
    return Ordered(rows, codes[rows], times[rows])


def refuse_twice(table: Table, column: str, ordered: Ordered, title: Callable[[int], str]) -> None:
    """Raise an error if a series has two rows with the same time.

    Args:
        table, column: place of the times, for errors.
        ordered: the rows in order.
        title: function from the code of a series to its name, which is "" if there is only one.

    Raises:
        DataError: if a time is repeated; the message names both places.
    """
    repeated = np.flatnonzero(_same(ordered.codes, ordered.times))
    if not len(repeated):
        return
    place = repeated[ordered.rows[repeated + 1].argmin()]
    first, second = ordered.rows[[place, place + 1]].tolist()
    cell, which = shown(table.column(column)[second]), title(int(ordered.codes[place]))
    raise DataError(
        f"{table.place(second)}: {column} repeats {cell}{which and f' of {which}'} from "
        f"{table.word} {table.lines[first]:,}: drop one of the rows, combine them with --resample "
        "mean, last or sum, or distinguish series by more columns with --by"
    )


def even_rows(
    table: Table, column: str, ordered: Ordered, values: np.ndarray, step: Step, advice: str = ""
) -> list[Even]:
    """Place each series on even steps, starting with its first row.

    Args:
        table, column: place of the times, for errors.
        ordered: the rows in order, without repeated times in a series.
        values: (N, C), one row for each row of the table.
        step: the spacing.
        advice: further advice for the error about a time that is not on a step.

    Raises:
        DataError: if a time is not on a step, or the result would be mostly gaps.
    """
    series, budget = [], _budget(table)
    for start, stop in _spans(ordered.codes):
        times, rows = ordered.times[start:stop], ordered.rows[start:stop]
        numbers = step.between(times[0], times)
        off = np.flatnonzero(step.add(times[0], numbers) != times)
        if len(off):
            cells, bad = table.column(column), int(rows[off[0]])
            raise DataError(
                f"{table.place(bad)}: {column} is {shown(cells[bad])}, which does not fit one row "
                f"{step.how_often} from {shown(cells[rows[0]])} in {table.word} "
                f"{table.lines[rows[0]]:,}: resample the rows with --resample mean, last or sum, "
                f"or set another spacing with --every{advice}"
            )
        budget -= int(numbers[-1]) + 1
        _check_budget(table, column, budget, step)
        series.append(_spread(step, times[0], numbers, values[rows]))
    return series


def resampled_rows(
    table: Table, column: str, ordered: Ordered, values: np.ndarray, step: Step, how: str
) -> list[Even]:
    """Aggregate the rows that fall into each step.

    Args:
        table, column: place of the times, for errors.
        ordered: the rows in order.
        values: (N, C), one row for each row of the table, with the target in the first column.
        step: the spacing; steps of days, weeks or months begin with a day, a Monday or a month.
        how: "mean", "last" or "sum", which sums the target and averages the other columns.

    Raises:
        DataError: if the result would be mostly gaps.
    """
    series, budget = [], _budget(table)
    for start, stop in _spans(ordered.codes):
        first = _begin(step, ordered.times[start])
        numbers = step.between(first, ordered.times[start:stop])
        budget -= int(numbers[-1]) + 1
        _check_budget(table, column, budget, step)
        heads = np.flatnonzero(np.diff(numbers, prepend=-1))
        part = values[ordered.rows[start:stop]]
        combined = _last(part, heads) if how == "last" else _mean(part, heads, how == "sum")
        series.append(_spread(step, first, numbers[heads], combined))
    return series


def _spread(step: Step, first: Time, numbers: np.ndarray, values: np.ndarray) -> Even:
    count = int(numbers[-1]) + 1
    spread = np.full((count, values.shape[1]), np.nan)
    spread[numbers] = values
    empty = np.ones(count, bool)
    empty[numbers] = False
    return Even(step.add(first, np.arange(count)), spread, empty)


def _begin(step: Step, time: Time) -> Time:
    """Return the beginning of the step that contains a time."""
    if step.unit == "row":
        return np.int64(time) // step.count * step.count
    zone = step.zone if step.counts_days else ""
    wall = to_wall(np.array([time], PLAIN), zone)[0]
    day = wall.astype("datetime64[D]")
    if step.unit == "second":
        since = np.datetime64("1970-01-05" if step.count % (7 * DAY) == 0 else "1970-01-01", "s")
        start = wall - (wall - since) % np.timedelta64(step.count, "s")
    elif step.unit == "weekday":
        start = np.busday_offset(day, 0, roll="forward")
    else:
        month = day.astype("datetime64[M]")
        start = month - month.astype(np.int64) % step.count * A_MONTH
        if step.unit == "month end":
            start = (start + A_MONTH).astype("datetime64[D]") - A_DAY
    return to_utc(np.array([start], PLAIN), zone)[0]


def _mean(values: np.ndarray, heads: np.ndarray, of_sum: bool) -> np.ndarray:
    """Average the values that are not missing; if `of_sum`, sum the first column instead."""
    known = ~np.isnan(values)
    total = np.add.reduceat(np.where(known, values, 0.0), heads)
    counts = np.add.reduceat(known.astype(np.int64), heads)
    mean = np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)
    if of_sum:
        mean[:, 0] = np.where(counts[:, 0] > 0, total[:, 0], np.nan)
    return mean


def _last(values: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Return the last values that are not missing."""
    places = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    last = np.maximum.reduceat(places, heads)
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), 0))


def _same(codes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return for each row but the first whether it repeats the series and time before it."""
    return (codes[1:] == codes[:-1]) & (times[1:] == times[:-1])


def _spans(codes: np.ndarray) -> list[tuple[int, int]]:
    heads = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
    return list(zip(heads, [*heads[1:], len(codes)], strict=True))


def _budget(table: Table) -> int:
    return MOST_STEPS * len(table) + 10_000


def _check_budget(table: Table, column: str, budget: int, step: Step) -> None:
    if budget < 0:
        raise DataError(
            f"{table.name}: with one row {step.how_often}, {column} would have more than "
            f"{MOST_STEPS} empty steps per row: correct any wrong time, set a longer spacing with "
            "--every, or leave out --time to number the rows"
        )
