"""What is said of a table of series before anything is learned from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.clock import Read
from lstm_jax.train.data.panels.even import Even, Ordered
from lstm_jax.train.data.panels.panel import One, Panel
from lstm_jax.train.data.panels.times import Step
from lstm_jax.train.data.tables import Table, some


def in_file(
    table: Table,
    panel: Panel,
    read: Read,
    ordered: Ordered,
    rows: Sequence[Even],
    keys: Sequence[tuple[str, ...]],
    resample: str,
) -> list[str]:
    """Say what was found in a file and mended: its order, its clock, the steps without a row.

    Args:
        table: that was read.
        panel: what is known of it but for its series.
        read: its times as they stand.
        ordered: its rows in order.
        rows: of each series, on even steps.
        keys: of the series.
        resample: how rows were put together, "refuse" if they were not.
    """
    lengths = [len(even.times) for even in rows]
    said = [f"{table.name}: {count(len(table), 'row')}"]
    if panel.by:
        said[0] += (
            f", {len(rows):,} series by {', '.join(panel.by)}, of {min(lengths):,} to "
            f"{max(lengths):,} steps, median {np.median(lengths):,.0f}"
        )
    said += read.said
    backwards = (np.diff(ordered.rows) < 0) & (np.diff(ordered.codes) == 0)
    unsorted = len(np.unique(ordered.codes[1:][backwards]))
    if unsorted:
        of = f" in {unsorted:,} of {len(rows):,} series" if panel.by else ""
        said.append(f"not in the order of time{of}: sorted")
    twice = int((read.later > 0).sum())
    if twice:
        said.append(
            f"{count(twice, 'row')} at an hour that comes twice in {read.form.zone}, when clocks "
            "are put back: the first is taken, and the second for a row that comes again"
        )
    if resample != "refuse":
        how = {"mean": "their mean", "last": "the last", "sum": "their sum, other columns' mean"}
        filled = sum(int((~even.empty).sum()) for even in rows)
        said.append(
            f"resampled to {_step(panel).name} by {how[resample]}: {filled:,} steps have rows"
        )
    gaps = sum(int(even.empty.sum()) for even in rows)
    if gaps:
        size, at, which = max(
            (*_longest_run(even.empty), series) for series, even in enumerate(rows)
        )
        of = f" of {panel.title(keys[which])}" if panel.by else ""
        since = panel.form.write(rows[which].times[at : at + 1])[0]
        said.append(
            f"{count(gaps, 'step')} without a row, taken as missing; the longest gap{of} is "
            f"{size:,} from {since} on"
        )
    return said


def describe(panel: Panel) -> list[str]:
    """Say what is in a panel: first and last times, spacing, missing values, constant series.

    Args:
        panel: of at least one series.
    """
    first = min(one.times[0] for one in panel.series)
    last = max(one.times[-1] for one in panel.series)
    begin, end = panel.form.write(np.array([first, last]))
    step, zone = _step(panel), panel.form.zone
    if panel.time and panel.step is None:
        said = [f"{panel.time} numbers the rows, from {begin} to {end}"]
    elif panel.time:
        clock = f", on the clock of {zone}" if zone else ""
        said = [f"{panel.time} from {begin} to {end}, a row {step.how_often}{clock}"]
    else:
        said = ["rows are numbered as they stand, because --time names no column"]
    said += [line for place in range(len(panel.columns)) if (line := _missing(panel, place))]
    constant = [panel.title(one.key) for one in panel.series if _is_constant(one)]
    if constant:
        others = len(panel.series) - len(constant)
        said.append(
            f"{panel.target} is constant in {len(constant):,} series: {some(constant)}; kept, as "
            f"{others:,} others vary"
        )
    return said


def refuse_constant(panel: Panel) -> None:
    """Refuse a panel in which no series varies.

    Args:
        panel: of at least one series with a target.

    Raises:
        DataError: its target is constant.
    """
    if all(map(_is_constant, panel.series)):
        where = f"in each of {len(panel.series):,} series" if panel.by else "in every row"
        raise DataError(
            f"{panel.name}: {panel.target} is the same {where}: there is nothing to learn from it"
        )


def left_out(whole: Panel, ended: Sequence[One]) -> list[str]:
    """Say which rows and series have no target to learn from.

    Args:
        whole: as it was read.
        ended: its series, each up to its last target.
    """
    said = []
    pairs = [(len(one.times), len(end.times)) for one, end in zip(whole.series, ended, strict=True)]
    ahead = sum(full - short for full, short in pairs if short)
    if ahead:
        said.append(
            f"left out at the ends of series: {count(ahead, 'row')} without {whole.target}, which "
            "are taken for the future"
        )
    empty = [whole.title(one.key) for one in ended if not len(one.times)]
    if empty:
        said.append(f"left out, without any {whole.target}: {len(empty):,} series: {some(empty)}")
    return said


def count(number: int, thing: str) -> str:
    """Write a number of things: "1 row", "2,000 rows"."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _step(panel: Panel) -> Step:
    return panel.step or Step(1, "row")


def _missing(panel: Panel, place: int) -> str:
    missing = [np.isnan(one.values[:, place]) for one in panel.series]
    total, size = sum(int(m.sum()) for m in missing), sum(len(m) for m in missing)
    if not total:
        return ""
    line = f"{panel.columns[place]} is missing in {total:,} of {size:,} steps ({total / size:.1%})"
    if panel.by:
        worst = max(range(len(missing)), key=lambda i: missing[i].mean())
        share = f"{int(missing[worst].sum()):,} of {len(missing[worst]):,}"
        line += f", most in {panel.title(panel.series[worst].key)}: {share}"
    return line


def _is_constant(one: One) -> bool:
    return np.ptp(_there(one.values[:, 0])) == 0


def _there(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Give the length and the start of the longest run of True."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = (stops - starts).argmax()
    return int(stops[longest] - starts[longest]), int(starts[longest])
