"""A user's table: a CSV, TSV or JSONL file, Parquet, or a frame of any library that narwhals knows.

Cells stay as they were read until somebody asks for a column as numbers or texts, so that an error
can say in which row and column of which file something else stands.
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
"""Text as it stands in a file; a number, text, time or None of a frame or of JSON."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nat", "-", "?"})
"""What stands for a missing value in a file, in small letters."""
ENDINGS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": None}
SHOWN = 12  # names in an error


@dataclass(frozen=True)
class Table:
    """Columns of cells.

    Attributes:
        name: of the file, or "the frame".
        names: of the columns, all different.
        rows: each as long as `names`.
        lines: the line of the file at which each row ends, or the row's number from 0 in a frame.
        sha256: of the file, or of all cells.
        like: the frame that it came from, if it did: what is answered is of the same library.
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
        """What a place in it is called: a "line" of a file, a "row" of a frame."""
        return "row" if isinstance(self.lines, range) else "line"

    def place(self, row: int) -> str:
        """Say where a row is: "sales.csv, line 17"."""
        return f"{self.name}, {self.word} {self.lines[row]:,}"

    def column(self, name: str) -> list[Cell]:
        """Give the cells of a column.

        Args:
            name: of the column.

        Raises:
            DataError: there is none of that name; it says which are near.
        """
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names[:10_000], n=3, cutoff=0.5)
            near += [other for other in self.names if other.lower() == name.lower()]
            near = list(dict.fromkeys(near))
            advice = f"did you mean {some(near)}?" if near else f"it has {some(self.names)}"
            raise DataError(f"{self.name} has no column {name!r}: {advice}")
        index = self.names.index(name)
        return [row[index] for row in self.rows]

    def numbers(self, name: str) -> np.ndarray:
        """Give a column as numbers, float64 (N,); NaN where a value is missing.

        Args:
            name: of the column.

        Raises:
            DataError: no such column, or a cell that is no finite number, with its row.
        """
        cells = self.column(name)
        found = np.empty(len(cells))
        for row, cell in enumerate(cells):
            try:
                found[row] = float(cell)
            except (TypeError, ValueError, OverflowError):
                found[row] = self._missing(name, row, cell)
        for row in np.flatnonzero(np.isinf(found)).tolist():
            self._missing(name, row, cells[row])
        return found

    def texts(self, name: str) -> list[str | None]:
        """Give a column as texts, None where a value is missing.

        Args:
            name: of the column.

        Raises:
            DataError: no such column.
        """
        return [None if is_missing(cell) else _text(cell) for cell in self.column(name)]

    def _missing(self, name: str, row: int, cell: Cell) -> float:
        """Give NaN for a missing value, and refuse anything else."""
        if is_missing(cell):
            return math.nan
        raise DataError(
            f"{self.place(row)}: {name} is {shown(cell)}, and a finite number was expected: mend "
            "it, or leave it empty if it is not known"
        )


def is_missing(cell: Cell) -> bool:
    """Say whether a cell stands for no value."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    return type(cell).__name__ in ("NaTType", "NAType")  # of pandas, which need not be installed


def read_table(source: object, *, encoding: str | None = None) -> Table:
    """Read a table.

    Args:
        source: a path to a .csv, .tsv, .jsonl or .parquet file, or an eager or lazy frame of
            pandas, polars, pyarrow or another library that narwhals knows.
        encoding: of a file; UTF-8, with or without a byte order mark, if None.

    Raises:
        DataError: a file that cannot be read, or is no table; it says where.
        TextFileError: a file that is no text, or of another encoding.
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
        raise DataError(f"{path}: what is in a file is said by its ending, one of {known}")
    return _read_csv(path, text, digest)


def _read_csv(path: Path, text: str, digest: str) -> Table:
    csv.field_size_limit(2**31 - 1)
    first = text.split("\n", 1)[0]
    delimiter = ENDINGS[path.suffix.lower()]
    if delimiter != "\t":
        delimiter = max(",;\t|", key=first.count)  # the first of equals: a comma
    # A StringIO gives lines that end with a line feed alone: a U+2028 is part of a cell.
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
                    f"{path}, line {reader.line_num:,} has {len(row):,} cells, and the header has "
                    f"{len(names):,}: mend the line, or put cells with a {delimiter!r} in quotes"
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
                f"{path}, line {number:,} is not JSON ({error}): one object a line is expected"
            ) from None
        if not isinstance(value, dict):
            raise DataError(f"{path}, line {number:,} is not an object of JSON, {{...}}")
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
        except Exception as error:  # each library has errors of its own for a damaged file
            raise DataError(f"{path} cannot be read as Parquet: {error}") from None
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows = list(frame.iter_rows())
        return _checked(str(path), frame.columns, rows, range(len(rows)), digest)
    raise DataError(
        'Parquet files take pyarrow or polars, and neither is installed: pip install "pyarrow"'
    )


def _of_frame(source: Any) -> Table:
    try:
        frame = nw.from_native(source)
    except DuplicateError:
        raise DataError("the frame has a column more than once: rename one of them") from None
    except TypeError:
        raise DataError(
            "a table is a path, or a frame of pandas, polars, pyarrow or another library that "
            f"narwhals knows, got {type(source).__name__}"
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
        raise DataError(f"{name} is empty: a header and rows are expected")
    counts: dict[str, int] = {}
    for column in names:
        counts[column] = counts.get(column, 0) + 1
    twice = [column for column, count in counts.items() if count > 1]
    if twice:
        raise DataError(f"{name} has the column {twice[0]!r} more than once: rename one of them")
    if not rows:
        raise DataError(f"{name} has a header and no rows: there is nothing to learn from")
    return Table(name, tuple(names), rows, lines, digest, like)


def some(names: Sequence[str]) -> str:
    """Write names with commas between, only the first of very many."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(name[:60] for name in names[:SHOWN]) + more


def shown(cell: Cell) -> str:
    """Show a cell in an error as it stands, only the beginning of a long one."""
    text = repr(cell) if isinstance(cell, str | int | float) else repr(str(cell))
    return text if len(text) <= 60 else text[:57] + "..."


def as_csv(columns: Mapping[str, Sequence[Any]]) -> str:
    """Write columns as CSV.

    Args:
        columns: names -> cells, all as many.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def frame_like(columns: Mapping[str, Sequence[Any]], like: object) -> Any:
    """Make a frame of the library that another frame is of.

    Args:
        columns: names -> cells, all as many.
        like: a frame of any library that narwhals knows; None gives a dict of lists.
    """
    cells = {name: list(column) for name, column in columns.items()}
    if like is None:
        return cells
    library = nw.get_native_namespace(nw.from_native(like))
    return nw.from_dict(cells, backend=library).to_native()


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else str(cell)
