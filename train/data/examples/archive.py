"""Read .ts files, the format of the UEA and UCR archives of sequences with a class.

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
from lstm_jax.train.data.examples.labelled import Rows
from lstm_jax.train.data.examples.sequences import LARGEST, of_archive


def read_ts(path: Path, encoding: str | None = None) -> Rows:
    """Read sequences, of equal or unequal lengths; a missing value, "?", is NaN.

    Args:
        path: of a .ts file.
        encoding: of the file; UTF-8 if None.

    Raises:
        DataError: a file of another form, or with time stamps; it says in which line.
        TextFileError: a file that is no text.
    """
    content, text = read_text(path, encoding)
    header, lines = _apart(path, text)
    if header.get("timestamps", "false") == "true":
        raise DataError(
            f"{path} has time stamps, which are not read: write the values alone, or a CSV with a "
            "row for each step"
        )
    if not header.get("classlabel", "").startswith("true"):
        raise DataError(f"{path} has no classes: its header must say @classLabel true and them")
    sequences, labels, places = [], [], []
    for number, line in lines:
        place = f"{path}, line {number:,}"
        *dimensions, label = line.split(":")
        if not dimensions or not label.strip():
            raise DataError(f"{place}: dimensions and a class are expected, ':' between them")
        sequence = _sequence(place, dimensions)
        if sequences and sequence.shape[1] != sequences[0].shape[1]:
            raise DataError(
                f"{place} has {sequence.shape[1]} dimensions, and the lines before it have "
                f"{sequences[0].shape[1]}"
            )
        sequences.append(sequence)
        labels.append(label.strip())
        places.append(place)
    if not sequences:
        raise DataError(f"{path} has no line after @data: there is nothing to learn from")
    return of_archive(str(path), sequences, labels, places, hashlib.sha256(content).hexdigest())


def _apart(path: Path, text: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Give the header by names in small letters, and the numbered lines after @data."""
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
            raise DataError(f"{path}, line {number:,} stands before @data and begins with no @")
    if not data:
        raise DataError(f"{path} has no @data: it is no .ts file of the UEA archive")
    return header, lines


def _sequence(place: str, dimensions: list[str]) -> np.ndarray:
    found = [[_value(place, cell) for cell in one.split(",")] for one in dimensions]
    lengths = sorted({len(one) for one in found})
    if len(lengths) > 1:
        raise DataError(
            f"{place}: the dimensions have {lengths[0]:,} to {lengths[-1]:,} values, and as many "
            "in each are expected"
        )
    return np.array(found).T


def _value(place: str, cell: str) -> float:
    if cell.strip() in ("?", "NaN", "nan"):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not abs(value) <= LARGEST:
        raise DataError(
            f"{place}: {cell[:40]!r} is no number up to {LARGEST:g}, and no ? for a missing one"
        )
    return value
