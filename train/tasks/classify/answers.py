"""What a classifier says of the rows of a file, a frame, or a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.files import write_whole
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labelled import text_of
from lstm_jax.train.data.examples.sequences import with_columns
from lstm_jax.train.data.tables import as_csv, read_table
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.judge import judged
from lstm_jax.train.tasks.classify.readers import SequenceReader, TextReader, restored
from lstm_jax.train.tasks.classify.source import read

PREDICTION, PROBABILITY = "prediction", "probability"
NAME = "sequence"  # the column of their numbers, where a file gives them no names


class Prediction(NamedTuple):
    """What a classifier says of one text or sequence: a class, and the probability of every one."""

    prediction: str
    probability: float
    probabilities: Mapping[str, float]


def answer_each(stored: Stored, inputs: Sequence[Any]) -> list[Prediction]:
    """Judge texts, or sequences (T, D).

    Args:
        stored: the model.
        inputs: N of them.

    Raises:
        ModelError: something else than the model reads, or an empty one.
    """
    classes, reader = stored.description["classes"], restored(stored.description)
    for place, one in enumerate(inputs):
        _check(reader, place, one)
    if not inputs:
        return []
    if isinstance(reader, SequenceReader):
        inputs = [np.asarray(one, np.float64) for one in inputs]
    p = np.exp(judged(stored, reader(inputs)))
    return [
        Prediction(classes[row.argmax()], float(row.max()), dict(zip(classes, row.tolist())))  # noqa: B905
        for row in p
    ]


def answer_file(stored: Stored, config: ClassifyConfig, source: object) -> dict[str, list[Any]]:
    """Judge the texts, or the sequences, of a file or frame.

    Args:
        stored: the model.
        config: of its run, which names the columns.
        source: a path or a frame like the one that it learned from; classes need not be there.

    Returns:
        Columns: of texts those of the source, of sequences their names; then `PREDICTION`,
        `PROBABILITY` and "p_" with each class. Of a row without a text they are None.

    Raises:
        DataError: a file that cannot be read or judged.
    """
    reader = restored(stored.description)
    if isinstance(reader, SequenceReader):
        rows = read(config, source, labelled=False, columns=reader.columns)
        rows = with_columns(rows, reader.columns)
        return _with_answers(stored, {config.by or NAME: list(rows.names)}, rows.inputs)
    table = read_table(source, encoding=config.encoding or None)
    texts = [text_of(cell) for cell in table.column(config.text or config.tokens)]
    columns = {name: table.column(name) for name in table.names}
    return _with_answers(stored, columns, texts)


def write(columns: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Write columns as a CSV file.

    Args:
        columns: names -> cells, all as many.
        path: of a file that does not exist.

    Raises:
        DataError: it exists, or cannot be written.
    """
    if path.suffix.lower() != ".csv":
        raise DataError(f"{path}: a .csv file is written, and it must be called so")
    if path.exists():
        raise DataError(f"{path} exists, and is not overwritten: give another --out")
    try:
        write_whole(path, as_csv(columns))
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from None


def _with_answers(
    stored: Stored, columns: dict[str, list[Any]], inputs: Sequence[Any]
) -> dict[str, list[Any]]:
    classes, reader = stored.description["classes"], restored(stored.description)
    own = [PREDICTION, PROBABILITY, *(f"p_{name}" for name in classes)]
    for name in own:
        if name in columns:
            raise DataError(f"there is a column {name!r} already: rename it, or leave it out")
    read_ = reader(inputs)
    full = [place for place, one in enumerate(read_) if len(one)]
    found: dict[str, list[Any]] = {name: [None] * len(inputs) for name in own}
    if full:
        p = np.round(np.exp(judged(stored, [read_[place] for place in full])), 6)
        for place, row in zip(full, p.tolist(), strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            values = [classes[best], row[best], *row]
            for name, value in zip(own, values, strict=True):
                found[name][place] = value
    return {**columns, **found}


def _check(reader: TextReader | SequenceReader, place: int, one: Any) -> None:
    if isinstance(reader, TextReader):
        if not isinstance(one, str) or not reader.words(one):
            raise ModelError(f"number {place} is no text with words: {str(one)[:40]!r}")
        return
    width = len(reader.columns)
    try:
        shape = np.shape(one)
    except ValueError:  # steps of different widths
        shape = (len(one), "different widths")
    if len(shape) != 2 or shape[1] != width or not shape[0]:
        raise ModelError(f"number {place} has the shape {shape}, and (steps, {width}) is expected")
