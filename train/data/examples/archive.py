"""Reading of .ts files, the format of the UEA and UCR archives of labeled sequences.

@problemName Name
@univariate false
@dimensions 2
@classLabel true walking running
@data
1.0,2.0,3.0:0.5,?,0.25:walking
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np

from lstm_jax.text.lines import read_text
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labeled import Rows
from lstm_jax.train.data.examples.sequences import LARGEST, of_archive


def read_ts(path: Path, encoding: str | None = None, *, labeled: bool = True) -> Rows:
    """Read sequences of equal or different lengths, where a missing value, "?", becomes NaN.

    Args:
        path: a .ts file.
        encoding: encoding of the file; UTF-8 if None.
        labeled: whether the file must have classes; classes that it has are read either way.

    Raises:
        DataError: if the file has another format, or time stamps; the message names the line.
        TextFileError: if the file is not text.
    """
    content, text = read_text(path, encoding)
    header, lines = _apart(path, text)
    if header.get("timestamps", "false") == "true":
        raise DataError(
            f"{path} has time stamps, which are not supported: write the values alone, or a CSV "
            "file with one row per step"
        )
    classes = header.get("classlabel", "").startswith("true")
    if labeled and not classes:
        raise DataError(f"{path} has no classes: its header must have @classLabel true and names")
    sequences, labels, places = [], [], []
    for number, line in lines:
        place = f"{path}, line {number:,}"
        *dimensions, label = line.split(":") if classes else [*line.split(":"), ""]
        if not dimensions or (classes and not label.strip()):
            raise DataError(f"{place} must hold dimensions and a class, separated by ':'")
        sequence = _sequence(place, dimensions)
        if sequences and sequence.shape[1] != sequences[0].shape[1]:
            raise DataError(
                f"{place} must have {sequences[0].shape[1]} dimensions, like the lines before it, "
                f"got {sequence.shape[1]}"
            )
        sequences.append(sequence)
        labels.append(label.strip())
        places.append(place)
    if not sequences:
        raise DataError(f"{path} has no lines after @data: there is nothing to learn from")
    return of_archive(str(path), sequences, labels, places, hashlib.sha256(content).hexdigest())


def _apart(path: Path, text: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Split a file into the header, by names in lower case, and the numbered lines of data."""
    header: dict[str, str] = {}
    lines: list[tuple[int, str]] = []
    data = False
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if data:
            lines.append((number, line))
        elif line.startswith("@"):
            name, _, value = line[1:].partition(" ")
            data = name.lower() == "data"
            header[name.lower()] = value.strip().lower()
        else:
            raise DataError(f"{path}, line {number:,} is before @data and must begin with @")
    if not data:
        raise DataError(f"{path} has no @data: it is not a .ts file of the UEA archive")
    return header, lines


def _sequence(place: str, dimensions: list[str]) -> np.ndarray:
    rows = [[_value(place, cell) for cell in row.split(",")] for row in dimensions]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise DataError(
            f"{place}: all dimensions must have the same number of values, got {lengths[0]:,} to "
            f"{lengths[-1]:,}"
        )
    return np.array(rows).T


def _value(place: str, cell: str) -> float:
    if cell.strip() in ("?", "NaN", "nan"):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not abs(value) <= LARGEST:
        raise DataError(
            f"{place}: a value must be a number up to {LARGEST:g}, or ? if it is missing, got "
            f"{cell[:40]!r}"
        )
    return value
