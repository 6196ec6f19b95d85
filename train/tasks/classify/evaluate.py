"""What a classifier of texts or sequences is worth on data that it did not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from lstm_jax.errors import UserError
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.data import sentiment
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.parts import Labelled, Part, part_of
from lstm_jax.train.data.examples.sequences import with_columns
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.classify.baselines import majority, naive_bayes, nearest_mean
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.judge import log_probabilities, make_reader
from lstm_jax.train.tasks.classify.measures import told
from lstm_jax.train.tasks.classify.readers import Reader, SequenceReader, TextReader, restored
from lstm_jax.train.tasks.classify.source import arranged, kind_of, read, read_rows


class Asked(NamedTuple):
    """What is to be judged: words, or scaled sequences; what a model reads of it; the truth."""

    seen: Sequence[Any]
    read: Sequence[np.ndarray]
    truth: np.ndarray


def measure(stored: Stored, config: ClassifyConfig, scope: Scope) -> Told:
    """Measure a classifier beside what costs nothing, and draw its picture if one is wanted.

    Args:
        stored: the model.
        config: of its run.
        scope: the split, or a file or frame with classes, and where to draw.

    Raises:
        DataError: data that is missing, altered, or has none of the classes.
        ModelError: film reviews and a file, or no matplotlib to draw with.
    """
    classes = stored.description["classes"]
    reader = restored(stored.description)
    train, asked, what, unit = to_judge(reader, config, scope, classes)
    if not len(asked.truth):
        raise DataError(f"there are no {unit} to judge in {what}: give another --split or a --file")
    params = nnx.state(stored.network, nnx.Param)
    logs = log_probabilities(make_reader(stored.network), params, asked.read)
    return told(
        logs,
        asked.truth,
        classes,
        _others(train, asked, reader, len(classes)) if train else {},
        what=what,
        unit=unit,
        temperature=stored.card.get("temperature"),
        picture=scope.picture,
    )


def to_judge(
    reader: Reader, config: ClassifyConfig, scope: Scope, classes: Sequence[str]
) -> tuple[Asked | None, Asked, str, str]:
    """Read what a classifier is judged on.

    Args:
        reader: of the model.
        config: of its run.
        scope: the split, or a file or frame with classes.
        classes: of the model, in order.

    Returns:
        What it learned from, if that is at hand; what is judged; what that is called; and what one
        example is, in the plural.

    Raises:
        DataError: data that is missing, altered, or has none of the classes.
        ModelError: film reviews and a file.
    """
    if config.data == "sentiment":
        return _reviews(reader, scope)
    return _own(reader, config, scope, classes)


def _reviews(reader: Reader, scope: Scope) -> tuple[Asked, Asked, str, str]:
    if scope.file is not None or scope.given is not None:
        raise ModelError("--file is not for a judge of film reviews, which learned from no files")
    assert isinstance(reader, TextReader)
    data = sentiment.load()
    train, asked = (
        Asked(
            [text.words for text in texts],
            [reader.vocabulary.encode(text.words) for text in texts],
            np.array([text.label for text in texts]),
        )
        for texts in (data.train, data.splits[scope.split])
    )
    return train, asked, f"sentiment {scope.split}", "sentences"


def _own(
    reader: Reader, config: ClassifyConfig, scope: Scope, classes: Sequence[str]
) -> tuple[Asked | None, Asked, str, str]:
    """Give what was learned from, if it is at hand, what is judged, and what both are called."""
    unit = kind_of(config)
    learned = _learned(config, scope)
    train = None if learned is None else _asked(reader, learned.parts["train"])
    source = scope.file if scope.file is not None else scope.given
    if scope.file is None and learned is not None:
        part = learned.parts[scope.split]
        return train, _asked(reader, part), f"{Path(learned.name).name} {scope.split}", unit
    if source is None:
        raise DataError(
            f"{config.file} has changed since the model learned from it (its sha256 differs): "
            "judge it as new data, with --file"
            if config.file
            else "the model learned from a frame, which is at hand in Python alone: give --file"
        )
    rows = read(config, source)
    if isinstance(reader, SequenceReader):
        rows = with_columns(rows, reader.columns)
    return train, _asked(reader, part_of(rows, classes)), Path(rows.name).name, unit


def _learned(config: ClassifyConfig, scope: Scope) -> Labelled | None:
    """Read again what a model learned from; None where that is not at hand, or has changed."""
    if not config.file and scope.given is None:
        return None
    try:
        data = arranged(config, *read_rows(config, None if config.file else scope.given))
    except UserError:
        if scope.file is None and scope.given is None:
            raise
        return None
    return data if data.sha256 == config.data_sha256 else None


def _asked(reader: Reader, part: Part) -> Asked:
    read = reader(part.inputs)
    if isinstance(reader, TextReader):
        return Asked([reader.words(text) for text in part.inputs], read, part.truth)
    return Asked(read, read, part.truth)


def _others(train: Asked, asked: Asked, reader: Reader, classes: int) -> dict[str, np.ndarray]:
    """Judge by what costs nothing."""
    found = {"majority": majority(train.truth, len(asked.truth), classes)}
    if isinstance(reader, TextReader):
        found["naive Bayes"] = naive_bayes(train.seen, train.truth, asked.seen, classes)
    else:
        found["nearest mean"] = nearest_mean(train.read, train.truth, asked.read, classes)
    return found
