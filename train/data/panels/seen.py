"""The report on a table of series that is printed before training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.clock import Read
from lstm_jax.train.data.panels.even import Even, Ordered
from lstm_jax.train.data.panels.panel import One, Panel
from lstm_jax.train.data.panels.times import Step
from lstm_jax.train.data.tables import Table, count, listed


def in_file(
    table: Table,
    panel: Panel,
    read: Read,
    ordered: Ordered,
    rows: Sequence[Even],
    keys: Sequence[tuple[str, ...]],
    resample: str,
) -> list[str]:
    """Report the state of a file and the repairs: its order, its clock, the steps without a row.

    Args:
        table: the table that was read.
        panel: the panel without its series.
        read: the times of the rows.
        ordered: the rows in order.
        rows: the rows of each series, on even steps.
        keys: keys of the series.
        resample: how rows were aggregated; "refuse" if they were not.
    """
    lengths = [len(even.times) for even in rows]
    lines = [f"{table.name}: {count(len(table), 'row')}"]
    if panel.by:
        lines[0] += (
            f", {len(rows):,} series by {', '.join(panel.by)}, of {min(lengths):,} to "
            f"{max(lengths):,} steps, median {np.median(lengths):,.0f}"
        )
    lines += read.notes
    backwards = (np.diff(ordered.rows) < 0) & (np.diff(ordered.codes) == 0)
    unsorted = len(np.unique(ordered.codes[1:][backwards]))
    if unsorted:
        where = f" in {unsorted:,} of {len(rows):,} series" if panel.by else ""
        lines.append(f"sorted the rows by time{where}")
    ambiguous = int((read.later > 0).sum())
    if ambiguous:
        lines.append(
            f"{count(ambiguous, 'row')} at an hour that occurs twice in {read.form.zone}, when "
            "clocks are put back: a row counts for the first hour, a repeated row for the second"
        )
    if resample != "refuse":
        methods = {
            "mean": "the mean of the rows",
            "last": "the last row",
            "sum": "the sum of the target and the mean of other columns",
        }
        filled = sum(int((~even.empty).sum()) for even in rows)
        lines.append(
            f"resampled to {_step(panel).name} by {methods[resample]}: {filled:,} steps have rows"
        )
    gaps = sum(int(even.empty.sum()) for even in rows)
    if gaps:
        size, start, which = max(
            (*_longest_run(even.empty), series) for series, even in enumerate(rows)
        )
        where = f" in {panel.title(keys[which])}" if panel.by else ""
        since = panel.form.write(rows[which].times[start : start + 1])[0]
        lines.append(
            f"{count(gaps, 'step')} without a row, treated as missing; the longest gap{where} has "
            f"{count(size, 'step')} and starts at {since}"
        )
    return lines


def describe(panel: Panel) -> list[str]:
    """Report the contents of a panel: times, spacing, missing values and constant series.

    Args:
        panel: a panel with at least one series.
    """
    first = min(series.times[0] for series in panel.series)
    last = max(series.times[-1] for series in panel.series)
    begin, end = panel.form.write(np.array([first, last]))
    step, zone = _step(panel), panel.form.zone
    if panel.time and panel.step is None:
        lines = [f"{panel.time} holds row numbers from {begin} to {end}"]
    elif panel.time:
        clock = f", on the clock of {zone}" if zone else ""
        lines = [f"{panel.time} from {begin} to {end}, one row {step.how_often}{clock}"]
    else:
        lines = ["rows are numbered in the order of the table, because --time is not set"]
    lines += [line for place in range(len(panel.columns)) if (line := _missing(panel, place))]
    constant = [panel.title(series.key) for series in panel.series if _is_constant(series)]
    if constant:
        varying = len(panel.series) - len(constant)
        lines.append(
            f"{panel.target} is constant in {len(constant):,} series: {listed(constant)}; kept, "
            f"because {varying:,} other series {'varies' if varying == 1 else 'vary'}"
        )
    return lines


def refuse_constant(panel: Panel) -> None:
    """Raise an error if no series of a panel varies.

    Args:
        panel: a panel with at least one series.

    Raises:
        DataError: if the target is constant in every series.
    """
    if all(map(_is_constant, panel.series)):
        where = f"in each of {len(panel.series):,} series" if panel.by else "in every row"
        raise DataError(
            f"{panel.name}: {panel.target} is the same {where}: there is nothing to learn from it"
        )


def left_out(whole: Panel, ended: Sequence[One]) -> list[str]:
    """Report the rows and series that are left out because they have no target.

    Args:
        whole: the panel as read.
        ended: its series, each up to its last target.
    """
    lines = []
    pairs = [
        (len(series.times), len(end.times)) for series, end in zip(whole.series, ended, strict=True)
    ]
    ahead = sum(full - short for full, short in pairs if short)
    if ahead:
        lines.append(
            f"left out {count(ahead, 'row')} without {whole.target} at the ends of series, which "
            "are assumed to be the future"
        )
    empty = [whole.title(series.key) for series in ended if not len(series.times)]
    if empty:
        lines.append(f"left out {len(empty):,} series without any {whole.target}: {listed(empty)}")
    return lines


def _step(panel: Panel) -> Step:
    return panel.step or Step(1, "row")


def _missing(panel: Panel, place: int) -> str:
    missing = [np.isnan(series.values[:, place]) for series in panel.series]
    total, size = sum(int(flags.sum()) for flags in missing), sum(len(flags) for flags in missing)
    if not total:
        return ""
    line = f"{panel.columns[place]} is missing in {total:,} of {size:,} steps ({total / size:.1%})"
    if panel.by:
        worst = max(range(len(missing)), key=lambda i: missing[i].mean())
        share = f"{int(missing[worst].sum()):,} of {len(missing[worst]):,}"
        line += f", most in {panel.title(panel.series[worst].key)}: {share}"
    return line


def _is_constant(series: One) -> bool:
    return np.ptp(_there(series.values[:, 0])) == 0


def _there(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Return the length and the start of the longest run of True."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = (stops - starts).argmax()
    return int(stops[longest] - starts[longest]), int(starts[longest])
