"""Tables of a user: CSV, TSV, JSONL and Parquet files, and frames of any library in narwhals.

Cells stay as they were read until a column is requested as numbers or texts, so that an error can
name the file, the row and the column of a wrong cell.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError

from lstm_jax.text.lines import read_text
from lstm_jax.train.data.download import DataError

Cell: TypeAlias = Any
"""Text, as in a file, or a number, text, time or None of a frame or of JSON."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nat", "-", "?"})
"""Spellings of a missing value in a file, in lower case."""
ENDINGS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": None}
SHOWN = 12  # names that an error lists


@dataclass(frozen=True)
class Table:
    """Store the columns of a table as rows of cells.

    Attributes:
        name: name of the file, or "the frame".
        names: names of the columns, all different.
        rows: rows of cells, each as long as `names`.
        lines: the line of the file in which each row ends, or the number of the row in a frame,
            starting with 0.
        sha256: digest of the file, or of all cells.
        like: the frame that the table was read from, if any; results are frames of its library.
    """

    name: str
    names: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    lines: Sequence[int]
    sha256: str
    like: Any = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def word(self) -> str:
        """Return the word for a place in the table: "line" for a file, "row" for a frame."""
        return "row" if isinstance(self.lines, range) else "line"

    def place(self, row: int) -> str:
        """Describe the place of a row, for example "sales.csv, line 17"."""
        return f"{self.name}, {self.word} {self.lines[row]:,}"

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column.

        Args:
            name: name of the column.

        Raises:
            DataError: if there is no such column; the message suggests similar names.
        """
        if name not in self.names:
            similar = difflib.get_close_matches(name, self.names[:10_000], n=3, cutoff=0.5)
            similar += [other for other in self.names if other.lower() == name.lower()]
            similar = list(dict.fromkeys(similar))
            names = listed(similar or self.names)
            advice = f"did you mean {names}?" if similar else f"it has {names}"
            raise DataError(f"{self.name} has no column {name!r}: {advice}")
        index = self.names.index(name)
        return [row[index] for row in self.rows]

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as numbers, float64 (N,), with NaN for missing values.

        Args:
            name: name of the column.

        Raises:
            DataError: if there is no such column, or a cell is not a finite number.
        """
        cells = self.column(name)
        values = np.empty(len(cells))
        for row, cell in enumerate(cells):
            try:
                values[row] = float(cell)
            except (TypeError, ValueError, OverflowError):
                values[row] = self._missing(name, row, cell)
        for row in np.flatnonzero(np.isinf(values)).tolist():
            self._missing(name, row, cells[row])
        return values

    def texts(self, name: str) -> list[str | None]:
        """Return a column as texts, with None for missing values.

        Args:
            name: name of the column.

        Raises:
            DataError: if there is no such column.
        """
        return [None if is_missing(cell) else _text(cell) for cell in self.column(name)]

    def _missing(self, name: str, row: int, cell: Cell) -> float:
        """Return NaN if the cell is a missing value, and raise an error otherwise."""
        if is_missing(cell):
            return math.nan
        raise DataError(
            f"{self.place(row)}: {name} must be a finite number, got {shown(cell)}: correct it, "
            "or leave it empty if it is not known"
        )


def is_missing(cell: Cell) -> bool:
    """Return whether a cell stands for a missing value."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    return type(cell).__name__ in ("NaTType", "NAType")  # of pandas, which need not be installed


def read_table(source: object, *, encoding: str | None = None) -> Table:
    """Read a table from a file or a frame.

    Args:
        source: a path to a .csv, .tsv, .jsonl or .parquet file, or an eager or lazy frame of
            pandas, polars, pyarrow or another library that narwhals supports.
        encoding: encoding of a file; UTF-8, with or without a byte order mark, if None.

    Raises:
        DataError: if a file cannot be read or is not a table; the message names the place.
        TextFileError: if a file is not text, or has another encoding.
    """
    if not isinstance(source, str | Path):
        return _of_frame(source)
    path = Path(source)
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path)
    content, text = read_text(path, encoding)
    digest = hashlib.sha256(content).hexdigest()
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return _read_jsonl(path, text, digest)
    if path.suffix.lower() not in ENDINGS:
        known = ", ".join([*ENDINGS, ".jsonl", ".parquet"])
        raise DataError(f"{path}: the name of a table must end in one of {known}")
    return _read_csv(path, text, digest)


def _read_csv(path: Path, text: str, digest: str) -> Table:
    csv.field_size_limit(2**31 - 1)
    first = text.split("\n", 1)[0]
    delimiter = ENDINGS[path.suffix.lower()]
    if delimiter != "\t":
        delimiter = max(",;\t|", key=first.count)  # a comma if there is a tie
    # A StringIO splits lines at line feeds only, so that a U+2028 is part of a cell.
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    names: list[str] | None = None
    try:
        for row in reader:
            if not "".join(row).strip():
                continue
            if names is None:
                names = [cell.strip() for cell in row]
                continue
            if len(row) != len(names):
                raise DataError(
                    f"{path}, line {reader.line_num:,} must have {len(names):,} cells like the "
                    f"header, got {len(row):,}: correct it, or quote cells that hold {delimiter!r}"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num:,}: {error}") from None
    return _checked(str(path), names or [], rows, lines, digest)


def _read_jsonl(path: Path, text: str, digest: str) -> Table:
    objects, lines, names = [], [], {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number:,} is not JSON ({error}): each line must be one object"
            ) from None
        if not isinstance(value, dict):
            raise DataError(f"{path}, line {number:,} must be a JSON object, {{...}}")
        objects.append(value)
        lines.append(number)
        names |= dict.fromkeys(value)
    rows = [[value.get(name) for name in names] for value in objects]
    return _checked(str(path), list(names), rows, lines, digest)


def _read_parquet(path: Path) -> Table:
    for backend in ("pyarrow", "polars"):
        try:
            frame = nw.read_parquet(str(path), backend=backend)
        except ImportError:
            continue
        except Exception as error:  # each library raises its own errors for a damaged file
            raise DataError(f"{path} cannot be read as Parquet: {error}") from None
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows = list(frame.iter_rows())
        return _checked(str(path), frame.columns, rows, range(len(rows)), digest)
    raise DataError(
        'Parquet files need pyarrow or polars, and neither is installed: pip install "pyarrow"'
    )


def _of_frame(source: Any) -> Table:
    try:
        frame = nw.from_native(source)
    except DuplicateError:
        raise DataError("the frame has a column more than once: rename one of them") from None
    except TypeError:
        raise DataError(
            "a table must be a path, or a frame of pandas, polars, pyarrow or another library "
            f"that narwhals supports, got {type(source).__name__}"
        ) from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    rows = list(frame.iter_rows())
    digest = hashlib.sha256(repr(frame.columns).encode())
    for row in rows:
        digest.update(repr(row).encode())
    names = [str(name) for name in frame.columns]
    return _checked("the frame", names, rows, range(len(rows)), digest.hexdigest(), source)


def _checked(
    name: str,
    names: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    lines: Sequence[int],
    digest: str,
    like: object = None,
) -> Table:
    if not names:
        raise DataError(f"{name} is empty: it must have a header and rows")
    counts: dict[str, int] = {}
    for column in names:
        counts[column] = counts.get(column, 0) + 1
    repeated = [column for column, count in counts.items() if count > 1]
    if repeated:
        raise DataError(f"{name} has the column {repeated[0]!r} more than once: rename one of them")
    if not rows:
        raise DataError(f"{name} has a header but no rows: there is nothing to learn from")
    return Table(name, tuple(names), rows, lines, digest, like)


def listed(names: Sequence[str]) -> str:
    """Join names with commas; after the first `SHOWN` names, count the rest."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(name[:60] for name in names[:SHOWN]) + more


def count(number: int, thing: str, ending: str = "s") -> str:
    """Format a number of things, for example "1 row" or "2,000 rows"."""
    return f"{number:,} {thing}{ending * (number != 1)}"


def shown(cell: Cell) -> str:
    """Format a cell for an error message, and shorten it if it is long."""
    text = repr(cell) if isinstance(cell, str | int | float) else repr(str(cell))
    return text if len(text) <= 60 else text[:57] + "..."


def as_csv(columns: Mapping[str, Sequence[Any]]) -> str:
    """Format columns as CSV.

    Args:
        columns: names of columns -> cells; all columns have the same length.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def frame_like(columns: Mapping[str, Sequence[Any]], like: Any) -> Any:
    """Build a frame of the same library as another frame.

    Args:
        columns: names of columns -> cells; all columns have the same length.
        like: a frame of any library that narwhals supports; a dict of lists is returned if None.
    """
    cells = {name: list(column) for name, column in columns.items()}
    if like is None:
        return cells
    frame = nw.from_native(like)
    # A lazy library cannot build frames; it collects them into one of another library.
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    library = nw.get_native_namespace(frame)
    return nw.from_dict(cells, backend=library).to_native()


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else str(cell)
