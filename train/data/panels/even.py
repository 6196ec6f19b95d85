"""Rows of a table put in the order of time and on even steps: what is missing becomes NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.times import A_DAY, A_MONTH, DAY, PLAIN, Step, to_utc, to_wall
from lstm_jax.train.data.tables import Table, shown

Time: TypeAlias = np.datetime64 | np.int64
MOST_STEPS = 20
"""Steps for each row, beyond which a table is mostly gaps."""


class Ordered(NamedTuple):
    """N rows by series and time: `rows` of the table, `codes` of their series, and `times`."""

    rows: np.ndarray
    codes: np.ndarray
    times: np.ndarray


class Even(NamedTuple):
    """A series on even steps: `times` (T,), `values` (T, C), and `empty` (T,): had no row."""

    times: np.ndarray
    values: np.ndarray
    empty: np.ndarray


def put_in_order(codes: np.ndarray, times: np.ndarray, later: np.ndarray) -> Ordered:
    """Order rows by series and time, those of equal times as they stand.

    Args:
        codes: (N,) which series a row is of.
        times: (N,).
        later: (N,) seconds to the second time at which the clock shows the same, see `Read`: a row
            whose time came before in its series is of that one.
    """
    rows = np.lexsort((times, codes))
    twice = _same(codes[rows], times[rows])
    if (later[rows[1:]][twice] > 0).any():
        times = times.copy()
        times[rows[1:][twice]] += later[rows[1:][twice]].astype("timedelta64[s]")
        rows = np.lexsort((times, codes))
    return Ordered(rows, codes[rows], times[rows])


def refuse_twice(table: Table, column: str, ordered: Ordered, title: Callable[[int], str]) -> None:
    """Refuse a series with two rows of one time.

    Args:
        table, column: where the times stand.
        ordered: its rows.
        title: what to call the series of a code, "" if there is only one.

    Raises:
        DataError: with the places of both.
    """
    twice = np.flatnonzero(_same(ordered.codes, ordered.times))
    if not len(twice):
        return
    at = twice[ordered.rows[twice + 1].argmin()]
    first, second = ordered.rows[[at, at + 1]].tolist()
    cell, which = shown(table.column(column)[second]), title(int(ordered.codes[at]))
    raise DataError(
        f"{table.place(second)}: {column} is {cell} a second time{which and f' for {which}'}, "
        f"after {table.word} {table.lines[first]:,}: drop one of them, put them together with "
        "--resample mean, last or sum, or tell series apart by more columns with --by"
    )


def even_rows(
    table: Table, column: str, ordered: Ordered, values: np.ndarray, step: Step, advice: str = ""
) -> list[Even]:
    """Put each series on even steps from its first row on.

    Args:
        table, column: where the times stand, for errors.
        ordered: its rows, no two of the same time in a series.
        values: (N, C), a row for each of the table's.
        step: the spacing.
        advice: what else may help if a time is on no step.

    Raises:
        DataError: a time that is on no step, or a table that would be nearly all gaps.
    """
    made, budget = [], _budget(table)
    for start, stop in _spans(ordered.codes):
        times, rows = ordered.times[start:stop], ordered.rows[start:stop]
        numbers = step.between(times[0], times)
        off = np.flatnonzero(step.add(times[0], numbers) != times)
        if len(off):
            cells, bad = table.column(column), int(rows[off[0]])
            raise DataError(
                f"{table.place(bad)}: {column} is {shown(cells[bad])}, which does not fit a row "
                f"{step.how_often} from {shown(cells[rows[0]])} in {table.word} "
                f"{table.lines[rows[0]]:,} on: bring the rows to that with --resample mean, last "
                f"or sum, or name another spacing with --every{advice}"
            )
        budget -= int(numbers[-1]) + 1
        _check_budget(table, column, budget, step)
        made.append(_spread(step, times[0], numbers, values[rows]))
    return made


def resampled_rows(
    table: Table, column: str, ordered: Ordered, values: np.ndarray, step: Step, how: str
) -> list[Even]:
    """Put together the rows that fall into each step.

    Args:
        table, column: where the times stand, for errors.
        ordered: its rows.
        values: (N, C), a row for each of the table's, the target's column first.
        step: the spacing; its steps begin with a day, week (on Monday) or month where it has such.
        how: "mean", "last", or "sum", which is of the target alone: others are averaged.

    Raises:
        DataError: a table that would be nearly all gaps.
    """
    made, budget = [], _budget(table)
    for start, stop in _spans(ordered.codes):
        first = _begin(step, ordered.times[start])
        numbers = step.between(first, ordered.times[start:stop])
        budget -= int(numbers[-1]) + 1
        _check_budget(table, column, budget, step)
        heads = np.flatnonzero(np.diff(numbers, prepend=-1))
        own = values[ordered.rows[start:stop]]
        together = _last(own, heads) if how == "last" else _mean(own, heads, how == "sum")
        made.append(_spread(step, first, numbers[heads], together))
    return made


def _spread(step: Step, first: Time, numbers: np.ndarray, values: np.ndarray) -> Even:
    count = int(numbers[-1]) + 1
    spread = np.full((count, values.shape[1]), np.nan)
    spread[numbers] = values
    empty = np.ones(count, bool)
    empty[numbers] = False
    return Even(step.add(first, np.arange(count)), spread, empty)


def _begin(step: Step, time: Time) -> Time:
    """Give the beginning of the step in which a time is."""
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
    """Average the values that are there; of a sum, add up the first column's."""
    there = ~np.isnan(values)
    total = np.add.reduceat(np.where(there, values, 0.0), heads)
    counts = np.add.reduceat(there.astype(np.int64), heads)
    mean = np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)
    if of_sum:
        mean[:, 0] = np.where(counts[:, 0] > 0, total[:, 0], np.nan)
    return mean


def _last(values: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Take the last values that are there."""
    places = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    last = np.maximum.reduceat(places, heads)
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), 0))


def _same(codes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Say for each row but the first whether it is of the series and time of the one before."""
    return (codes[1:] == codes[:-1]) & (times[1:] == times[:-1])


def _spans(codes: np.ndarray) -> list[tuple[int, int]]:
    heads = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
    return list(zip(heads, [*heads[1:], len(codes)], strict=True))


def _budget(table: Table) -> int:
    return MOST_STEPS * len(table) + 10_000


def _check_budget(table: Table, column: str, budget: int, step: Step) -> None:
    if budget < 0:
        raise DataError(
            f"{table.name}: with a row {step.how_often}, {column} has over {MOST_STEPS} empty "
            "steps for each row: is one of the times mistaken? Name a longer spacing with --every, "
            "or leave out --time, which numbers the rows"
        )
