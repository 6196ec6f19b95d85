"""Conversion of a user's table to a panel: columns, series, times and missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels import seen as seen_series
from lstm_jax.train.data.panels.clock import Read, read_times
from lstm_jax.train.data.panels.even import (
    Ordered,
    even_rows,
    put_in_order,
    refuse_twice,
    resampled_rows,
)
from lstm_jax.train.data.panels.forms import Form
from lstm_jax.train.data.panels.panel import One, Panel, seen
from lstm_jax.train.data.panels.roles import OwnSeries, roles_of
from lstm_jax.train.data.panels.sizes import choose_sizes
from lstm_jax.train.data.panels.spacing import find_step
from lstm_jax.train.data.panels.times import Step, read_step
from lstm_jax.train.data.tables import Table, is_missing, listed, read_table, shown
from lstm_jax.train.look import Choice

WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
Levels = tuple[tuple[str, ...], ...]


def load_panel(
    config: OwnSeries, frame: object = None, *, levels: Levels | None = None
) -> tuple[Panel, list[str], list[Choice]]:
    """Load the series of a file or a frame.

    Rows without a target at the end of a series are left out; `read_new` returns them too.

    Args:
        config: names the file and its columns.
        frame: a frame to read instead of the file.
        levels: values of the static columns that a trained model knows, in which case `config`
            has the spacing too; None before training.

    Returns:
        The panel; lines that report the contents of the table; and defaults for `every`, `zone`,
        `season` and `horizon`.

    Raises:
        DataError: if the table cannot be converted to a panel; the message names the place.
    """
    table = read_table(config.file if frame is None else frame, encoding=config.encoding or None)
    whole, lines = _panel(config, table, levels)
    ended = [_until(series, seen(series)) for series in whole.series]
    kept = tuple(series for series in ended if len(series.times))
    if not kept:
        raise DataError(f"{table.name}: {whole.target} has no value in any row")
    panel = replace(whole, series=kept)
    seen_series.refuse_constant(panel)
    lines += seen_series.describe(panel)
    lines += seen_series.left_out(whole, ended)
    used = set(roles_of(table, config).names)
    unused = [name for name in table.names if name not in used]
    if unused:
        lines.append(f"not used: {listed(unused)}")
    return panel, lines, choose_sizes(panel, config.season)


def read_new(config: OwnSeries, levels: Levels, source: object) -> Panel:
    """Read series that a trained model will forecast.

    Args:
        config: configuration of the run, including the spacing and the zone.
        levels: values of the static columns that the model knows.
        source: the path of a file, or a frame, with the columns that the model was trained on.
            Rows at the end without a target are the future; their known columns are read.

    Returns:
        The series that have any target.

    Raises:
        DataError: as in `load_panel`, or if times have another spacing, or there is no target.
    """
    panel, _ = _panel(config, read_table(source, encoding=config.encoding or None), levels)
    known = tuple(series for series in panel.series if seen(series))
    if not known:
        raise DataError(
            f"{panel.name}: {panel.target} has no value in any row, but a forecast needs some"
        )
    return replace(panel, series=known)


def _panel(config: OwnSeries, table: Table, levels: Levels | None) -> tuple[Panel, list[str]]:
    roles = roles_of(table, config)
    numbers = [table.numbers(roles.target)]
    numbers += [_numbers(table, name) for name in (*roles.past, *roles.known)]
    keys, codes = _series_of(table, roles.by)
    read = _times(config, table, codes)
    ordered = put_in_order(codes, read.times, read.later)
    step = _step(config, table, read, ordered, trained=levels is not None)
    panel = Panel(
        name=table.name,
        unit="",
        target=roles.target,
        past=roles.past,
        known=roles.known,
        by=roles.by,
        static=roles.static,
        levels=_levels(table, roles.static) if levels is None else levels,
        series=(),
        step=None if step == Step(1, "row") else step,
        sha256=table.sha256,
        time=roles.time,
        form=read.form,
        like=table.like,
    )
    values, time = np.stack(numbers, 1), roles.time or "the row number"
    if config.resample == "refuse":
        refuse_twice(table, time, ordered, lambda code: panel.title(keys[code]) if keys[0] else "")
        offsets = read.form.offset and not config.zone
        advice = ", or the zone of the clock with --zone" if offsets else ""
        rows = even_rows(table, time, ordered, values, step, advice)
    else:
        rows = resampled_rows(table, time, ordered, values, step, config.resample)
    statics = _static(table, panel, keys, codes)
    series = (
        One(key, even.times, even.values, static)
        for key, even, static in zip(keys, rows, statics, strict=True)
    )
    lines = seen_series.in_file(table, panel, read, ordered, rows, keys, config.resample)
    return replace(panel, series=tuple(series)), lines


def _times(config: OwnSeries, table: Table, codes: np.ndarray) -> Read:
    if config.time:
        return read_times(table, config.time, pattern=config.time_format, zone=config.zone)
    for name in ("every", "zone", "time_format"):
        if getattr(config, name):
            raise DataError(f"--{name.replace('_', '-')} needs --time, the column with the times")
    order = np.argsort(codes, kind="stable")
    heads = np.flatnonzero(np.diff(codes[order], prepend=-1))
    numbers = np.empty(len(codes), np.int64)
    numbers[order] = np.arange(len(codes)) - np.repeat(heads, np.diff(heads, append=len(codes)))
    return Read(numbers, np.zeros(len(codes), np.int64), Form("row"), [])


def _step(config: OwnSeries, table: Table, read: Read, ordered: Ordered, *, trained: bool) -> Step:
    """Return the spacing in the configuration, or infer it before training."""
    numbered = read.form.kind == "row"
    zone = "" if numbered else read.form.zone
    # Training does not save a spacing for rows that are numbered one by one.
    every = config.every or ("1" if trained else "")
    if every:
        step = read_step(every, zone)
        if (step.unit == "row") != numbered:
            actual, expected = "dates or times", "row numbers"
            actual, expected = (expected, actual) if numbered else (actual, expected)
            raise DataError(
                f"{table.name}: {config.time or 'the time, without --time,'} must hold {expected}, "
                f"because --every is {every}, got {actual}"
            )
        return step
    step = find_step(ordered.times, ordered.codes, zone)
    if step is None:
        raise DataError(
            f"{table.name} has only one row{' of each series' if config.by else ''}, but a series "
            f"needs several: {'is --by the right column?' if config.by else 'provide more data'}"
        )
    return step


def _series_of(table: Table, by: Sequence[str]) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Number the series in order of appearance; return their keys and the number of each row."""
    texts = []
    for name in by:
        column = table.texts(name)
        if None in column:
            place = table.place(column.index(None))
            raise DataError(f"{place}: {name} is empty, but --by needs a value to name the series")
        texts.append(column)
    if not by:
        return [()], np.zeros(len(table), np.int64)
    numbers: dict[tuple[str, ...], int] = {}
    codes = [numbers.setdefault(key, len(numbers)) for key in zip(*texts, strict=True)]
    return list(numbers), np.array(codes, np.int64)


def _numbers(table: Table, name: str) -> np.ndarray:
    """Return a column as numbers, where yes and no (or true and false) become 1 and 0."""
    cells = table.column(name)
    first = next((cell for cell in cells if not is_missing(cell)), None)
    if first is None:
        raise DataError(f"{table.name}: {name} has no value in any row: leave it out")
    if not isinstance(first, str) or first.strip().lower() not in WORDS:
        return table.numbers(name)
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        word = str(cell).strip().lower()
        if word in WORDS:
            values[row] = WORDS[word]
        elif not is_missing(cell):
            raise DataError(
                f"{table.place(row)}: {name} must be yes or no as in the rows before, got "
                f"{shown(cell)}: correct it, or leave it empty if it is not known"
            )
    return values


def _levels(table: Table, static: Sequence[str]) -> Levels:
    return tuple(tuple(sorted({t for t in table.texts(name) if t is not None})) for name in static)


def _static(
    table: Table, panel: Panel, keys: Sequence[tuple[str, ...]], codes: np.ndarray
) -> list[tuple[int, ...]]:
    """Return the codes of each series in the static columns, which must not change within it."""
    columns = []
    for name, levels in zip(panel.static, panel.levels, strict=True):
        code_of: dict[str | None, int] = {level: code for code, level in enumerate(levels, 1)}
        where: dict[int, int] = {}
        texts = table.texts(name)
        for row, (series, text) in enumerate(zip(codes.tolist(), texts, strict=True)):
            if text is None:
                continue
            first = where.setdefault(series, row)
            if texts[first] != text:
                raise DataError(
                    f"{table.place(row)}: {name} is {text!r}, but {texts[first]!r} in {table.word} "
                    f"{table.lines[first]:,} of the same series ({panel.title(keys[series])}): use "
                    "--known or --inputs, not --static, for a column that changes"
                )
        column = [
            code_of.get(texts[where[i]] or "", 0) if i in where else 0 for i in range(len(keys))
        ]
        columns.append(column)
    return list(zip(*columns, strict=True)) if columns else [()] * len(keys)


def _until(series: One, stop: int) -> One:
    return series._replace(times=series.times[:stop], values=series.values[:stop])
