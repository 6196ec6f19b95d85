"""Several series from one table: evenly spaced rows of a target and of other columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.forms import Form
from lstm_jax.train.data.panels.times import Step


class One(NamedTuple):
    """Store one series of N evenly spaced rows.

    `key` holds its values in the `by` columns, and is () if there is only one series. `times` (N,)
    are datetime64[s] in UTC, or int64 if they are row numbers. `values` (N, C) float64 are the
    target, the past-only columns, and the known columns, with NaN for missing values. `static` has
    a code for each static column, 0 for a value that did not occur in training. `clean` (N,) is
    the target without its noise, if that is known.
    """

    key: tuple[str, ...]
    times: np.ndarray
    values: np.ndarray
    static: tuple[int, ...] = ()
    clean: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """Store series that have the same columns and the same spacing.

    Attributes:
        name: name of the file or the set.
        unit: unit of the target, if it is known.
        target: the column to forecast.
        past: columns that are known only up to now.
        known: columns that are also known in the future.
        by: columns whose values tell the series apart.
        static: categorical columns that do not change within a series.
        levels: for each static column, the values with the codes 1, 2, ...
        series: the series, at least one.
        step: the spacing; None if times are row numbers that increase by 1.
        sha256: digest of the file or the frame.
        time: the column with the times; "" if there is none.
        form: format of the times in that column.
        like: the frame that the series were read from, if any.
    """

    name: str
    unit: str
    target: str
    past: tuple[str, ...]
    known: tuple[str, ...]
    by: tuple[str, ...]
    static: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    series: tuple[One, ...]
    step: Step | None
    sha256: str
    time: str = ""
    form: Form = field(default_factory=Form)
    like: Any = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of `values`, in order."""
        return (self.target, *self.past, *self.known)

    def title(self, key: tuple[str, ...]) -> str:
        """Return a name such as "store=Bonn, product=7"; the panel's if it has only one series."""
        pairs = zip(self.by, key, strict=True)
        return ", ".join(f"{name}={value}" for name, value in pairs) or self.name

    def after(self, last: np.datetime64 | np.int64, count: int) -> np.ndarray:
        """Return the times of the rows that follow.

        Args:
            last: a time of a series.
            count: number of rows.
        """
        return (self.step or Step(1, "row")).after(last, count)


def seen(series: One) -> int:
    """Count the rows up to the last one with a target; later rows are the future."""
    rows = np.flatnonzero(~np.isnan(series.values[:, 0]))
    return int(rows[-1]) + 1 if len(rows) else 0


def drop_short(panel: Panel, least: int) -> tuple[Panel, list[str]]:
    """Leave out series that are too short to learn from.

    Args:
        panel: a panel with at least one series.
        least: minimum number of rows of a series.

    Returns:
        The panel without the short series, and a line that reports them, if any.

    Raises:
        DataError: if no series is left.
    """
    kept = tuple(series for series in panel.series if len(series.times) >= least)
    if not kept:
        longest = max(panel.series, key=lambda series: len(series.times))
        which = f"the longest series, {panel.title(longest.key)}," if panel.by else "the series"
        raise DataError(
            f"{panel.name}: {which} has {len(longest.times):,} rows, but at least {least:,} are "
            "needed: use a smaller --window or --horizon, or provide more data"
        )
    dropped = [panel.title(series.key) for series in panel.series if len(series.times) < least]
    if not dropped:
        return panel, []
    message = f"left out {len(dropped):,} series of fewer than {least:,} rows, such as {dropped[0]}"
    return replace(panel, series=kept), [message]
