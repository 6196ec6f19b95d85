"""Rows of a user's table with a class each: texts, and what they are labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.classes import SHOWN
from lstm_jax.train.data.examples.words import plain
from lstm_jax.train.data.tables import Cell, Table, is_missing


@dataclass(frozen=True)
class Rows:
    """Examples of one file, in its order.

    Attributes:
        name: of the file, or "the frame".
        inputs: texts, or sequences (T, D), N of them.
        labels: of each.
        keys: equal for examples that are the same.
        groups: what each belongs to; None where that is not known.
        places: where each stands, for errors.
        sha256: of the file.
        notes: what was left out, and other things to be said.
        columns: names of the D columns of sequences.
        names: of the sequences.
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
        """Give some of the examples, with more to be said."""
        names = ("inputs", "labels", "keys", "groups", "places")
        own = {name: [getattr(self, name)[row] for row in rows] for name in names}
        return replace(self, **own, notes=(*self.notes, *notes), names=())


def read_texts(table: Table, column: str, label: str, group: str = "") -> Rows:
    """Take texts and labels out of a table; rows without one of them are left out, and counted.

    Args:
        table: with a row for each text.
        column: with the texts.
        label: with their classes.
        group: a column whose equal values are to stay together; none if "".

    Raises:
        DataError: no such column, or no row with a text and a class.
    """
    if column == label:
        raise DataError(f"{column!r} is named both as the text and as its class: name two columns")
    texts = [text_of(cell) for cell in table.column(column)]
    labels = labels_of(table, label)
    groups = groups_of(table, group)
    unlabelled = [row for row, name in enumerate(labels) if name is None]
    empty = [row for row, text in enumerate(texts) if not text and labels[row] is not None]
    kept = [row for row, text in enumerate(texts) if text and labels[row] is not None]
    if not kept:
        raise DataError(
            f"{table.name} has no row with both a text in {column!r} and a class in {label!r}"
        )
    notes = [
        f"left out: {len(rows):,} rows without a {what}, the first of them {table.place(rows[0])}"
        for rows, what in ((unlabelled, f"class in {label!r}"), (empty, f"text in {column!r}"))
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
    """Give the classes in a column as texts: 3.0 is "3", and a blank cell None.

    Args:
        table: with the column.
        column: its name.

    Raises:
        DataError: no such column; it says which are near.
    """
    return [_label_of(cell) for cell in table.column(column)]


def groups_of(table: Table, column: str) -> list[str | None]:
    """Give what the rows of a table belong to, None where that is missing or not asked for."""
    return labels_of(table, column) if column else [None] * len(table)


def without_singles(rows: Rows, label: str = "the class") -> Rows:
    """Leave out classes that are seen once, which can be learned or judged, but not both.

    Args:
        rows: all examples.
        label: what to call the column of the classes.

    Raises:
        DataError: most of the examples have a class of their own.
    """
    counts = Counter(rows.labels)
    singles = [name for name, count in counts.items() if count == 1]
    if not singles:
        return rows
    if len(singles) > len(rows) / 2:
        raise DataError(
            f"{rows.name} has {len(counts):,} different values of {label} in {len(rows):,} "
            f"examples, {len(singles):,} of them seen once: is this the column with the classes?"
        )
    shown = ", ".join(map(repr, singles[:SHOWN])) + (", ..." if len(singles) > SHOWN else "")
    kept = [row for row, name in enumerate(rows.labels) if counts[name] > 1]
    return rows.take(kept, f"left out: {len(singles):,} classes that are seen once: {shown}")


def text_of(cell: Cell) -> str:
    """Give a cell as a text without the blanks around it, "" where it is missing."""
    return "" if _is_none(cell) else str(cell).strip()


def _label_of(cell: Cell) -> str | None:
    if _is_none(cell):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # pandas makes floats of whole numbers where one is missing
    return str(cell).strip() or None


def _is_none(cell: Cell) -> bool:
    """Say whether there is no value; unlike a number's, words such as "none" or "-" are one."""
    return not isinstance(cell, str) and is_missing(cell)
