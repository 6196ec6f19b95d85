"""Labeled examples from a user's table: texts and their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.classes import SHOWN
from lstm_jax.train.data.examples.words import plain
from lstm_jax.train.data.tables import Cell, Table, count, is_missing


@dataclass(frozen=True)
class Rows:
    """Store the examples of one file, in its order.

    Attributes:
        name: name of the file, or "the frame".
        inputs: N texts, or sequences (T, D).
        labels: class of each example.
        keys: keys that are equal for equal examples.
        groups: group of each example; None if it is not known.
        places: place of each example in the file, for errors.
        sha256: digest of the file.
        notes: lines to report, for example on examples left out.
        columns: names of the D columns of sequences.
        names: names of the sequences.
    """

    name: str
    inputs: Sequence[Any]
    labels: Sequence[str]
    keys: Sequence[Hashable]
    groups: Sequence[str | None]
    places: Sequence[str]
    sha256: str
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Sequence[int], *notes: str) -> Rows:
        """Return some of the examples, with further notes."""
        names = ("inputs", "labels", "keys", "groups", "places")
        chosen = {name: [getattr(self, name)[row] for row in rows] for name in names}
        return replace(self, **chosen, notes=(*self.notes, *notes), names=())


def read_texts(table: Table, column: str, label: str, group: str = "") -> Rows:
    """Read texts and labels from a table; rows that lack either are left out and counted.

    Args:
        table: a table with one row per text.
        column: name of the column with the texts.
        label: name of the column with the classes.
        group: name of a column whose equal values stay in the same part; "" if there is none.

    Raises:
        DataError: if a column does not exist, or no row has both a text and a class.
    """
    if column == label:
        raise DataError(f"{column!r} is both the text and the class: name two different columns")
    texts = [text_of(cell) for cell in table.column(column)]
    labels = labels_of(table, label)
    groups = groups_of(table, group)
    unlabeled = [row for row, name in enumerate(labels) if name is None]
    empty = [row for row, text in enumerate(texts) if not text and labels[row] is not None]
    kept = [row for row, text in enumerate(texts) if text and labels[row] is not None]
    if not kept:
        raise DataError(
            f"{table.name} has no row with both a text in {column!r} and a class in {label!r}"
        )
    notes = [
        f"left out {count(len(rows), 'row')} without a {lack}, the first: {table.place(rows[0])}"
        for rows, lack in ((unlabeled, f"class in {label!r}"), (empty, f"text in {column!r}"))
        if rows
    ]
    return Rows(
        name=table.name,
        inputs=[texts[row] for row in kept],
        labels=[labels[row] or "" for row in kept],
        keys=[plain(texts[row]) for row in kept],
        groups=[groups[row] for row in kept],
        places=[table.place(row) for row in kept],
        sha256=table.sha256,
        notes=tuple(notes),
    )


def labels_of(table: Table, column: str) -> list[str | None]:
    """Return the classes in a column as texts, where 3.0 becomes "3" and a blank cell None.

    Args:
        table: the table.
        column: name of the column.

    Raises:
        DataError: if there is no such column; the message suggests similar names.
    """
    return [_label_of(cell) for cell in table.column(column)]


def groups_of(table: Table, column: str) -> list[str | None]:
    """Return the group of each row, None if it is missing or there is no such column."""
    return labels_of(table, column) if column else [None] * len(table)


def without_singles(rows: Rows, label: str = "the class") -> Rows:
    """Leave out classes with one example, which can be learned or tested, but not both.

    Args:
        rows: all examples.
        label: name of the column of the classes, for errors.

    Raises:
        DataError: if more than half of the examples have a class of their own.
    """
    counts = Counter(rows.labels)
    singles = [name for name, count in counts.items() if count == 1]
    if not singles:
        return rows
    if len(singles) > len(rows) / 2:
        raise DataError(
            f"{rows.name} has {len(counts):,} different values of {label} in {len(rows):,} "
            f"examples, {len(singles):,} of them only once: is this the column with the classes?"
        )
    shown = ", ".join(map(repr, singles[:SHOWN])) + (", ..." if len(singles) > SHOWN else "")
    kept = [row for row, name in enumerate(rows.labels) if counts[name] > 1]
    return rows.take(
        kept, f"left out {count(len(singles), 'class', 'es')} with one example: {shown}"
    )


def text_of(cell: Cell) -> str:
    """Return a cell as text without surrounding blanks, "" if it is missing."""
    return "" if _is_none(cell) else str(cell).strip()


def _label_of(cell: Cell) -> str | None:
    if _is_none(cell):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # pandas converts integers to floats if one is missing
    return str(cell).strip() or None


def _is_none(cell: Cell) -> bool:
    """Return whether a cell is missing; in a text, words such as "none" or "-" are values."""
    return not isinstance(cell, str) and is_missing(cell)
