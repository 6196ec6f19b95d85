"""A user's table made a panel: its columns, its series, their times and what is missing."""

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
from lstm_jax.train.data.tables import Table, is_missing, read_table, shown, some
from lstm_jax.train.look import Choice

WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
Levels = tuple[tuple[str, ...], ...]


def load_panel(
    config: OwnSeries, given: object = None, *, levels: Levels | None = None
) -> tuple[Panel, list[str], list[Choice]]:
    """Load the series of a user's file or frame.

    Rows at a series' end that have no target are left out; `read_new` gives them too.

    Args:
        config: names the file and its columns; what is open in it is chosen.
        given: a frame that is read instead of the file.
        levels: the values of the static columns that a trained model knows, whose spacing stands
            in `config` too; None before training.

    Returns:
        The panel; what is in the table, a line each; and values for `every`, `zone`, `season` and
        `horizon`.

    Raises:
        DataError: a table that no panel can be made of; it says where.
    """
    table = read_table(config.file if given is None else given, encoding=config.encoding or None)
    whole, said = _panel(config, table, levels)
    ended = [_until(one, seen(one)) for one in whole.series]
    kept = tuple(one for one in ended if len(one.times))
    if not kept:
        raise DataError(f"{table.name}: {whole.target} has no value in any row")
    panel = replace(whole, series=kept)
    seen_series.refuse_constant(panel)
    said += seen_series.describe(panel)
    said += seen_series.left_out(whole, ended)
    used = set(roles_of(table, config).names)
    unused = [name for name in table.names if name not in used]
    if unused:
        said.append(f"not used: {some(unused)}")
    return panel, said, choose_sizes(panel, config.season)


def read_new(config: OwnSeries, levels: Levels, source: object) -> Panel:
    """Read series that a trained model is to go on with.

    Args:
        config: of the run, with the spacing and the zone that were chosen.
        levels: the values of the static columns that the model knows.
        source: the path of a file or a frame, with the columns that the model was trained on. Rows
            at the end that have no target are the future, of which the known columns are read.

    Returns:
        The series that have a target to go on from.

    Raises:
        DataError: as in `load_panel`, times of another spacing, or no target at all.
    """
    panel, _ = _panel(config, read_table(source, encoding=config.encoding or None), levels)
    begun = tuple(one for one in panel.series if seen(one))
    if not begun:
        raise DataError(
            f"{panel.name}: {panel.target} has no value in any row: a forecast goes on from some"
        )
    return replace(panel, series=begun)


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
    said = seen_series.in_file(table, panel, read, ordered, rows, keys, config.resample)
    return replace(panel, series=tuple(series)), said


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
    """Give the spacing that is named, or that of the training, or what is found."""
    numbered = read.form.kind == "row"
    zone = "" if numbered else read.form.zone
    # Of rows that are numbered one by one, nothing was chosen in training.
    every = config.every or ("1" if trained else "")
    if every:
        step = read_step(every, zone)
        if (step.unit == "row") != numbered:
            has, wanted = "dates or times", "numbers of rows"
            has, wanted = (wanted, has) if numbered else (has, wanted)
            raise DataError(
                f"{table.name}: {config.time or 'without --time it'} has {has}, and {wanted} were "
                f"expected, as --every is {every}"
            )
        return step
    found = find_step(ordered.times, ordered.codes, zone)
    if found is None:
        raise DataError(
            f"{table.name} has only one row{' of each series' if config.by else ''}, and a series "
            f"needs several: {'is --by the right column?' if config.by else 'take more data'}"
        )
    return found


def _series_of(table: Table, by: Sequence[str]) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Number the series in the order in which they come; which one is each row of?"""
    texts = []
    for name in by:
        column = table.texts(name)
        if None in column:
            place = table.place(column.index(None))
            raise DataError(f"{place}: {name} is empty, and --by tells by it which series it is of")
        texts.append(column)
    if not by:
        return [()], np.zeros(len(table), np.int64)
    numbers: dict[tuple[str, ...], int] = {}
    codes = [numbers.setdefault(key, len(numbers)) for key in zip(*texts, strict=True)]
    return list(numbers), np.array(codes, np.int64)


def _numbers(table: Table, name: str) -> np.ndarray:
    """Give a column as numbers, one of yes and no as 1 and 0."""
    cells = table.column(name)
    first = next((cell for cell in cells if not is_missing(cell)), None)
    if first is None:
        raise DataError(f"{table.name}: {name} has no value in any row: leave it out")
    if not isinstance(first, str) or first.strip().lower() not in WORDS:
        return table.numbers(name)
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        word = str(cell).strip().lower()
        if word in WORDS:
            found[row] = WORDS[word]
        elif not is_missing(cell):
            raise DataError(
                f"{table.place(row)}: {name} is {shown(cell)}, and yes or no was expected, as in "
                "the rows before"
            )
    return found


def _levels(table: Table, static: Sequence[str]) -> Levels:
    return tuple(tuple(sorted({t for t in table.texts(name) if t is not None})) for name in static)


def _static(
    table: Table, panel: Panel, keys: Sequence[tuple[str, ...]], codes: np.ndarray
) -> list[tuple[int, ...]]:
    """Give each series' codes of the static columns, in which it must have one value."""
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
                    f"{table.place(row)}: {name} is {text!r}, and {texts[first]!r} in {table.word} "
                    f"{table.lines[first]:,}, of the same series ({panel.title(keys[series])}): a "
                    "column that changes may be --known or --inputs, but not --static"
                )
        found = [
            code_of.get(texts[where[i]] or "", 0) if i in where else 0 for i in range(len(keys))
        ]
        columns.append(found)
    return list(zip(*columns, strict=True)) if columns else [()] * len(keys)


def _until(one: One, stop: int) -> One:
    return one._replace(times=one.times[:stop], values=one.values[:stop])
