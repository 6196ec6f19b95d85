"""Sequences of numbers with a class each: a long table, or a .ts file of the UEA archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labelled import Rows, groups_of, labels_of
from lstm_jax.train.data.tables import Table, is_missing

MOST_COLUMNS = 1000
LARGEST = 1e30  # of a number, whose square is to be one too


def read_long(
    table: Table,
    *,
    by: str,
    label: str,
    time: str = "",
    columns: Sequence[str] = (),
    group: str = "",
) -> Rows:
    """Take sequences out of a table with a row for each of their steps.

    Args:
        table: with the rows of all sequences, in any order.
        by: the column that says which sequence a row is of.
        label: with the classes, the same in all rows of a sequence; "" where none are known.
        time: by which the steps are put in order; as they stand in the file if "".
        columns: to be read; all others that hold numbers if there are none.
        group: a column whose equal values are to stay together; none if "".

    Raises:
        DataError: no such column, a sequence with two classes or two steps of one time, or a cell
            that is no number; it says where.
    """
    names = labels_of(table, by)
    labels = labels_of(table, label) if label else [""] * len(table)
    groups = groups_of(table, group)
    chosen = tuple(columns) or _numeric(table, {by, label, time, group})
    values = np.stack([table.numbers(name) for name in chosen], 1)
    for row, column in np.argwhere(np.abs(values) > LARGEST).tolist():
        raise DataError(
            f"{table.place(row)}: {chosen[column]} is {values[row, column]:g}, and numbers up to "
            f"{LARGEST:g} are read"
        )
    moments = _moments(table, time)
    members: dict[str, list[int]] = {}
    notes = []
    unnamed = [row for row, name in enumerate(names) if name is None]
    if unnamed:
        notes.append(
            f"left out: {len(unnamed):,} rows without a value in {by!r}, the first of them "
            f"{table.place(unnamed[0])}"
        )
    for row, name in enumerate(names):
        if name is not None:
            members.setdefault(name, []).append(row)
    found: list[tuple[np.ndarray, str, str | None, str, str]] = []
    unlabelled = 0
    for name, rows in members.items():
        own = {labels[row] for row in rows} - {None}
        if len(own) > 1:
            other = next(row for row in rows if labels[row] not in (None, labels[rows[0]]))
            raise DataError(
                f"{table.place(other)}: the sequence {name!r} has the class {labels[other]!r}, and "
                f"{labels[rows[0]]!r} before: one is expected in all of its rows"
            )
        if not own:
            unlabelled += 1
            continue
        if moments is not None:
            rows = sorted(rows, key=lambda row: moments[row])
            for before, after in pairwise(rows):
                if moments[before] == moments[after]:
                    raise DataError(
                        f"{table.place(after)}: the sequence {name!r} has a second step at "
                        f"{time} {table.column(time)[after]}"
                    )
        [own_label] = own
        first = rows[0]
        found.append((values[rows], own_label or "", groups[first], table.place(first), name))
    if not found:
        raise DataError(f"{table.name} has no sequence with a class in {label!r}")
    if unlabelled:
        notes.append(f"left out: {unlabelled:,} sequences without a class in {label!r}")
    inputs, own_labels, own_groups, places, own_names = map(list, zip(*found, strict=True))
    keys = [_key(one) for one in inputs]
    return Rows(
        table.name, inputs, own_labels, keys, own_groups, places, table.sha256, tuple(notes),
        chosen, own_names,
    )  # fmt: skip


def of_archive(
    name: str, sequences: Sequence[np.ndarray], labels: Sequence[str], places: Sequence[str],
    sha256: str,
) -> Rows:  # fmt: skip
    """Make examples of what a .ts file holds.

    Args:
        name: of the file.
        sequences: arrays (T, D).
        labels: of each.
        places: where each stands.
        sha256: of the file.
    """
    columns = tuple(f"dimension {index + 1}" for index in range(sequences[0].shape[1]))
    keys = [_key(one) for one in sequences]
    groups = [None] * len(keys)
    names = [str(number) for number in range(1, len(keys) + 1)]
    return Rows(name, sequences, labels, keys, groups, places, sha256, (), columns, names)


def with_columns(rows: Rows, columns: Sequence[str]) -> Rows:
    """Refuse sequences of other columns than those that a model reads.

    Raises:
        DataError: another number of columns.
    """
    if len(rows.columns) != len(columns):
        raise DataError(
            f"{rows.name} has {len(rows.columns):,} columns to read ({', '.join(rows.columns[:6])})"
            f", and {len(columns):,} are expected ({', '.join(columns[:6])})"
        )
    return replace(rows, columns=tuple(columns))


def _numeric(table: Table, others: set[str]) -> tuple[str, ...]:
    left = [name for name in table.names if name not in others]
    if len(left) > MOST_COLUMNS:
        raise DataError(
            f"{table.name} has {len(left):,} columns: name those to read with --inputs (at most "
            f"{MOST_COLUMNS:,} are read)"
        )
    found = tuple(name for name in left if _holds_numbers(table.column(name)))
    if not found:
        raise DataError(
            f"{table.name} has no column of numbers beside those that are named: name those to "
            "read with --inputs"
        )
    return found


def _holds_numbers(cells: Sequence[Any]) -> bool:
    """Say whether the first value of a column is a number."""
    first = next((cell for cell in cells if not is_missing(cell)), None)
    try:
        float(first)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _moments(table: Table, time: str) -> list[Any] | None:
    """Give what steps are put in order by: numbers if all are, else texts, such as ISO dates."""
    if not time:
        return None
    cells = table.column(time)
    for row, cell in enumerate(cells):
        if is_missing(cell):
            raise DataError(f"{table.place(row)}: there is no time in {time!r}")
    try:
        return [float(cell) for cell in cells]
    except (TypeError, ValueError, OverflowError):
        return [str(cell) for cell in cells]


def _key(sequence: np.ndarray) -> tuple[int, bytes]:
    return len(sequence), sequence.tobytes()
