"""Labeled sequences of numbers, from a long table or a .ts file of the UEA archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from datetime import time as clock
from itertools import pairwise
from typing import Any

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labeled import Rows, groups_of, labels_of
from lstm_jax.train.data.tables import Table, count, is_missing

MOST_COLUMNS = 1000
LARGEST = 1e30  # largest number, so that its square is finite in float32


def read_long(
    table: Table,
    *,
    by: str,
    label: str,
    time: str = "",
    columns: Sequence[str] = (),
    group: str = "",
) -> Rows:
    """Read sequences from a table with one row per step.

    Args:
        table: the rows of all sequences, in any order.
        by: name of the column that identifies the sequence of a row.
        label: name of the column with the classes, which must be the same in all rows of a
            sequence; "" if classes are not known.
        time: name of the column that orders the steps; the order of the table if "".
        columns: names of the columns to read; all other columns of numbers if empty.
        group: name of a column whose equal values stay in the same part; "" if there is none.

    Raises:
        DataError: if a column does not exist, a sequence has two classes or repeats a time, or a
            cell is not a number; the message names the place.
    """
    names = labels_of(table, by)
    labels = labels_of(table, label) if label else [""] * len(table)
    groups = groups_of(table, group)
    chosen = tuple(columns) or _numeric(table, {by, label, time, group})
    values = np.stack([table.numbers(name) for name in chosen], 1)
    for row, column in np.argwhere(np.abs(values) > LARGEST).tolist():
        raise DataError(
            f"{table.place(row)}: {chosen[column]} must be at most {LARGEST:g} in size, got "
            f"{values[row, column]:g}"
        )
    moments = _moments(table, time)
    members: dict[str, list[int]] = {}
    notes = []
    unnamed = [row for row, name in enumerate(names) if name is None]
    if unnamed:
        notes.append(
            f"left out {count(len(unnamed), 'row')} without a value in {by!r}, the first: "
            f"{table.place(unnamed[0])}"
        )
    for row, name in enumerate(names):
        if name is not None:
            members.setdefault(name, []).append(row)
    sequences: list[tuple[np.ndarray, str, str | None, str, str]] = []
    unlabeled = 0
    for name, rows in members.items():
        classes = {labels[row] for row in rows} - {None}
        if len(classes) > 1:
            other = next(row for row in rows if labels[row] not in (None, labels[rows[0]]))
            raise DataError(
                f"{table.place(other)}: the sequence {name!r} has the class {labels[other]!r}, but "
                f"{labels[rows[0]]!r} before: all rows of a sequence must have the same class"
            )
        if not classes:
            unlabeled += 1
            continue
        if moments is not None:
            rows = sorted(rows, key=lambda row: moments[row])
            for before, after in pairwise(rows):
                if moments[before] == moments[after]:
                    raise DataError(
                        f"{table.place(after)}: the sequence {name!r} has a second step at "
                        f"{time} {table.column(time)[after]}"
                    )
        [class_name] = classes
        first = rows[0]
        sequences.append((values[rows], class_name or "", groups[first], table.place(first), name))
    if not sequences:
        raise DataError(f"{table.name} has no sequence with a class in {label!r}")
    if unlabeled:
        notes.append(f"left out {count(unlabeled, 'sequence')} without a class in {label!r}")
    inputs, all_labels, all_groups, places, all_names = map(list, zip(*sequences, strict=True))
    keys = [_key(sequence) for sequence in inputs]
    return Rows(
        table.name, inputs, all_labels, keys, all_groups, places, table.sha256, tuple(notes),
        chosen, all_names,
    )  # fmt: skip


def of_archive(
    name: str, sequences: Sequence[np.ndarray], labels: Sequence[str], places: Sequence[str],
    sha256: str,
) -> Rows:  # fmt: skip
    """Build examples from the contents of a .ts file.

    Args:
        name: name of the file.
        sequences: arrays (T, D).
        labels: label of each sequence.
        places: place of each sequence in the file.
        sha256: digest of the file.
    """
    columns = tuple(f"dimension {index + 1}" for index in range(sequences[0].shape[1]))
    keys = [_key(sequence) for sequence in sequences]
    groups = [None] * len(keys)
    names = [str(number) for number in range(1, len(keys) + 1)]
    return Rows(name, sequences, labels, keys, groups, places, sha256, (), columns, names)


def with_columns(rows: Rows, columns: Sequence[str]) -> Rows:
    """Return sequences with the columns of a model.

    Args:
        rows: the sequences.
        columns: names of the columns that the model reads.

    Raises:
        DataError: if the number of columns differs.
    """
    if len(rows.columns) != len(columns):
        expected = f"{count(len(columns), 'column')} to read ({', '.join(columns[:6])})"
        raise DataError(
            f"{rows.name} must have {expected}, got {len(rows.columns):,} "
            f"({', '.join(rows.columns[:6])})"
        )
    return replace(rows, columns=tuple(columns))


def _numeric(table: Table, others: set[str]) -> tuple[str, ...]:
    rest = [name for name in table.names if name not in others]
    if len(rest) > MOST_COLUMNS:
        raise DataError(
            f"{table.name} has {len(rest):,} columns: name the columns to read, at most "
            f"{MOST_COLUMNS:,}, with --inputs"
        )
    numeric = tuple(name for name in rest if _holds_numbers(table.column(name)))
    if not numeric:
        raise DataError(
            f"{table.name} has no further column of numbers: name the columns to read with --inputs"
        )
    return numeric


def _holds_numbers(cells: Sequence[Any]) -> bool:
    """Return whether the first value of a column is a number."""
    first = next((cell for cell in cells if not is_missing(cell)), None)
    try:
        float(first)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _moments(table: Table, time: str) -> list[Any] | None:
    """Return the keys that order the steps, which are all numbers or all times.

    Raises:
        DataError: if a cell is empty, or neither, or of another kind than the first.
    """
    if not time:
        return None
    cells = table.column(time)
    first = next((cell for cell in cells if not is_missing(cell)), None)
    key = _number if _number(first) is not None else _time
    moments = []
    for row, cell in enumerate(cells):
        if is_missing(cell):
            raise DataError(f"{table.place(row)}: {time} is empty, but every row needs a time")
        moment = key(cell)
        if moment is None or type(moment) is not type(moments[0] if moments else moment):
            raise DataError(
                f"{table.place(row)}: {time} must be a number in every row, or a time like "
                f"2024-03-31 09:05 or 09:05 in every row, got {str(cell)[:40]!r}"
            )
        moments.append(moment)
    if len({moment.tzinfo is None for moment in moments if isinstance(moment, datetime)}) > 1:
        raise DataError(f"{table.name}: some times in {time} have a zone, and others have none")
    return moments


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def _time(cell: Any) -> Any:
    """Return a time that can be compared; None if a text is not one in ISO 8601."""
    if not isinstance(cell, str):
        return cell if isinstance(cell, date | clock | timedelta) else None
    for kind in (datetime, clock):
        try:
            return kind.fromisoformat(cell.strip())
        except ValueError:
            pass
    return None


def _key(sequence: np.ndarray) -> tuple[int, bytes]:
    return len(sequence), sequence.tobytes()
