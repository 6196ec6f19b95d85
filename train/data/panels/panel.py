"""Many series of one table: evenly spaced rows of a target and of what is read beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.forms import Form
from lstm_jax.train.data.panels.times import Step


class One(NamedTuple):
    """Hold one series: N evenly spaced rows.

    `key`: its values in the `by` columns, () where there is only one series. `times` (N,):
    datetime64[s] in UTC, or int64 where the time is a row number. `values` (N, C) float64: the
    target, then the past-only columns, then the known ones; NaN where a value is missing.
    `static`: a code for each static column, 0 for a value that training did not know. `clean`
    (N,): the target without its noise, where that is known.
    """

    key: tuple[str, ...]
    times: np.ndarray
    values: np.ndarray
    static: tuple[int, ...] = ()
    clean: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """Hold series of the same columns and the same spacing.

    Attributes:
        name: of the file or the set.
        unit: of the target, if it is known.
        target: the column that is forecast.
        past: columns that are known up to now.
        known: columns that are known for the future too.
        by: columns that tell the series apart.
        static: categories that do not change within a series.
        levels: for each static column, the values behind its codes 1, 2, ...
        series: at least one.
        step: the spacing; None where the time is a row number that goes up by 1.
        sha256: of the file or the frame.
        time: the column with the times, "" if there is none.
        form: how a time is written in that column.
        like: the frame that the series came from, if they did.
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
        """The columns of each series' values, in their order."""
        return (self.target, *self.past, *self.known)

    def title(self, key: tuple[str, ...]) -> str:
        """Name a series: "store=Bonn, product=7", or the panel's name if there is only one."""
        pairs = zip(self.by, key, strict=True)
        return ", ".join(f"{name}={value}" for name, value in pairs) or self.name

    def after(self, last: np.datetime64 | np.int64, count: int) -> np.ndarray:
        """Give the times of the next rows.

        Args:
            last: a time of a series.
            count: of the times that follow it.
        """
        return (self.step or Step(1, "row")).after(last, count)


def seen(one: One) -> int:
    """Count the rows up to the last one with a target; those after it are the future."""
    rows = np.flatnonzero(~np.isnan(one.values[:, 0]))
    return int(rows[-1]) + 1 if len(rows) else 0


def drop_short(panel: Panel, least: int) -> tuple[Panel, list[str]]:
    """Leave out series that are too short to learn from.

    Args:
        panel: of at least one series.
        least: rows that a series must have.

    Returns:
        The panel of those that are left, and what to say of the others.

    Raises:
        DataError: none is left.
    """
    kept = tuple(one for one in panel.series if len(one.times) >= least)
    if not kept:
        longest = max(panel.series, key=lambda one: len(one.times))
        which = f"the longest series, {panel.title(longest.key)}," if panel.by else "the series"
        raise DataError(
            f"{panel.name}: {which} has {len(longest.times):,} rows, and at least {least:,} are "
            "needed: take a smaller --window or --horizon, or more data"
        )
    left = [panel.title(one.key) for one in panel.series if len(one.times) < least]
    if not left:
        return panel, []
    said = f"left out, shorter than {least:,} rows: {len(left):,} series, such as {left[0]}"
    return replace(panel, series=kept), [said]
