"""Predictions of a classifier for the rows of a file, a frame, or a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.files import write_whole
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labeled import text_of
from lstm_jax.train.data.examples.sequences import with_columns
from lstm_jax.train.data.tables import as_csv, read_table
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.judge import judged
from lstm_jax.train.tasks.classify.readers import SequenceReader, TextReader, restored
from lstm_jax.train.tasks.classify.source import read

PREDICTION, PROBABILITY = "prediction", "probability"
NAME = "sequence"  # name of the column of their numbers, if a file has no names of sequences


class Prediction(NamedTuple):
    """Store the predicted class of a text or sequence, and the probability of every class."""

    prediction: str
    probability: float
    probabilities: Mapping[str, float]


def answer_each(stored: Stored, inputs: Sequence[Any]) -> list[Prediction]:
    """Classify texts, or sequences (T, D).

    Args:
        stored: the model.
        inputs: N texts or sequences.

    Raises:
        ModelError: if an input is empty, or not what the model reads.
    """
    classes, reader = stored.description["classes"], restored(stored.description)
    for place, example in enumerate(inputs):
        _check(reader, place, example)
    if not inputs:
        return []
    if isinstance(reader, SequenceReader):
        inputs = [np.asarray(example, np.float64) for example in inputs]
    p = np.exp(judged(stored, reader(inputs)))
    return [
        Prediction(classes[row.argmax()], float(row.max()), dict(zip(classes, row.tolist())))  # noqa: B905
        for row in p
    ]


def answer_file(stored: Stored, config: ClassifyConfig, source: object) -> dict[str, list[Any]]:
    """Classify the texts, or the sequences, of a file or frame.

    Args:
        stored: the model.
        config: configuration of its run, which names the columns.
        source: a path or a frame like the training data; the column of classes may be missing.

    Returns:
        Columns: those of the source for texts, or the names of sequences; then `PREDICTION`,
        `PROBABILITY` and "p_" with each class. They are None for a row without a text.

    Raises:
        DataError: if the source cannot be read or classified.
    """
    reader = restored(stored.description)
    if isinstance(reader, SequenceReader):
        rows = read(config, source, labeled=False, grouped=False, columns=reader.columns)
        rows = with_columns(rows, reader.columns)
        return _with_answers(stored, {config.by or NAME: list(rows.names)}, rows.inputs)
    table = read_table(source, encoding=config.encoding or None)
    texts = [text_of(cell) for cell in table.column(config.text or config.tokens)]
    columns = {name: table.column(name) for name in table.names}
    return _with_answers(stored, columns, texts)


def write(columns: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Write columns as a CSV file.

    Args:
        columns: names of columns -> cells; all columns have the same length.
        path: path of a file that does not exist.

    Raises:
        DataError: if the file exists or cannot be written, or does not end in .csv.
    """
    if path.suffix.lower() != ".csv":
        raise DataError(f"{path}: the name of the file to write must end in .csv")
    if path.exists():
        raise DataError(f"{path} exists already: use another --out")
    try:
        write_whole(path, as_csv(columns))
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from None


def _with_answers(
    stored: Stored, columns: dict[str, list[Any]], inputs: Sequence[Any]
) -> dict[str, list[Any]]:
    classes, reader = stored.description["classes"], restored(stored.description)
    names = [PREDICTION, PROBABILITY, *(f"p_{name}" for name in classes)]
    for name in names:
        if name in columns:
            raise DataError(f"the column {name!r} exists already: rename it, or leave it out")
    encoded = reader(inputs)
    filled = [place for place, sequence in enumerate(encoded) if len(sequence)]
    answers: dict[str, list[Any]] = {name: [None] * len(inputs) for name in names}
    if filled:
        p = np.round(np.exp(judged(stored, [encoded[place] for place in filled])), 6)
        for place, row in zip(filled, p.tolist(), strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            values = [classes[best], row[best], *row]
            for name, value in zip(names, values, strict=True):
                answers[name][place] = value
    return {**columns, **answers}


def _check(reader: TextReader | SequenceReader, place: int, example: Any) -> None:
    if isinstance(reader, TextReader):
        if not isinstance(example, str) or not reader.words(example):
            raise ModelError(f"input {place} must be a text with words, got {str(example)[:40]!r}")
        return
    width = len(reader.columns)
    try:
        shape = np.shape(example)
    except ValueError:  # steps of different widths
        shape = (len(example), "different widths")
    if len(shape) != 2 or shape[1] != width or not shape[0]:
        raise ModelError(f"input {place} must have the shape (steps, {width}), got {shape}")
