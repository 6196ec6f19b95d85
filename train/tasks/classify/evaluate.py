"""Evaluation of a classifier of texts or sequences on held-out data."""

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
from lstm_jax.train.data.examples.parts import Labeled, Part, part_of
from lstm_jax.train.data.examples.sequences import with_columns
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.classify.baselines import majority, naive_bayes, nearest_mean
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.judge import log_probabilities, make_reader
from lstm_jax.train.tasks.classify.measures import report
from lstm_jax.train.tasks.classify.readers import Reader, SequenceReader, TextReader, restored
from lstm_jax.train.tasks.classify.source import arranged, kind_of, read, read_rows


class Cases(NamedTuple):
    """Store examples to evaluate on: words or scaled sequences, inputs of the model, and truth."""

    seen: Sequence[Any]
    read: Sequence[np.ndarray]
    truth: np.ndarray


def measure(stored: Stored, config: ClassifyConfig, scope: Scope) -> Told:
    """Evaluate a classifier beside simple baselines, and draw its picture if `scope` names one.

    Args:
        stored: the model.
        config: configuration of its run.
        scope: the split, or a file or frame with classes, and the path of the picture.

    Raises:
        DataError: if data are missing, altered, or have other classes.
        ModelError: if a file is given for film reviews, or matplotlib is not installed.
    """
    classes = stored.description["classes"]
    reader = restored(stored.description)
    train, cases, what, unit = to_judge(reader, config, scope, classes)
    if not len(cases.truth):
        raise DataError(f"there are no {unit} in {what}: use another --split or a --file")
    params = nnx.state(stored.network, nnx.Param)
    logs = log_probabilities(make_reader(stored.network), params, cases.read)
    return report(
        logs,
        cases.truth,
        classes,
        _others(train, cases, reader, len(classes)) if train else {},
        what=what,
        unit=unit,
        temperature=stored.card.get("temperature"),
        picture=scope.picture,
    )


def to_judge(
    reader: Reader, config: ClassifyConfig, scope: Scope, classes: Sequence[str]
) -> tuple[Cases | None, Cases, str, str]:
    """Read the examples on which a classifier is evaluated.

    Args:
        reader: reader of the model.
        config: configuration of its run.
        scope: the split, or a file or frame with classes.
        classes: names of the classes of the model, in order.

    Returns:
        The training examples, if available; the examples to evaluate on; their name; and the name
        of an example, in the plural.

    Raises:
        DataError: if data are missing, altered, or have other classes.
        ModelError: if a file is given for film reviews.
    """
    if config.data == "sentiment":
        return _reviews(reader, scope)
    return _own(reader, config, scope, classes)


def _reviews(reader: Reader, scope: Scope) -> tuple[Cases, Cases, str, str]:
    if scope.file is not None or scope.given is not None:
        raise ModelError("--file does not apply to film reviews, which are not read from files")
    assert isinstance(reader, TextReader)
    data = sentiment.load()
    train, cases = (
        Cases(
            [text.words for text in texts],
            [reader.vocabulary.encode(text.words) for text in texts],
            np.array([text.label for text in texts]),
        )
        for texts in (data.train, data.splits[scope.split])
    )
    return train, cases, f"sentiment {scope.split}", "sentences"


def _own(
    reader: Reader, config: ClassifyConfig, scope: Scope, classes: Sequence[str]
) -> tuple[Cases | None, Cases, str, str]:
    """Read a user's own data; see `to_judge`."""
    unit = kind_of(config)
    data = _learned(config, scope)
    train = None if data is None else _cases_of(reader, data.parts["train"])
    source = scope.file if scope.file is not None else scope.given
    anew = scope.file is not None or (scope.given is not None and bool(config.file))
    if data is not None and not anew:
        part = data.parts[scope.split]
        return train, _cases_of(reader, part), f"{Path(data.name).name} {scope.split}", unit
    if source is None:
        raise DataError(
            f"{config.file} has changed since the model was trained on it (its sha256 differs): "
            "evaluate it as new data, with --file"
            if config.file
            else "the model was trained on a frame, which is only available in Python: use --file"
        )
    columns = reader.columns if isinstance(reader, SequenceReader) else ()
    rows = read(config, source, grouped=False, columns=columns)
    if columns:
        rows = with_columns(rows, columns)
    return train, _cases_of(reader, part_of(rows, classes)), Path(rows.name).name, unit


def _learned(config: ClassifyConfig, scope: Scope) -> Labeled | None:
    """Read the training data again; return None if they are not available, or have changed."""
    if not config.file and scope.given is None:
        return None
    try:
        data = arranged(config, *read_rows(config, None if config.file else scope.given))
    except UserError:
        if scope.file is None and scope.given is None:
            raise
        return None
    return data if data.sha256 == config.data_sha256 else None


def _cases_of(reader: Reader, part: Part) -> Cases:
    read = reader(part.inputs)
    if isinstance(reader, TextReader):
        return Cases([reader.words(text) for text in part.inputs], read, part.truth)
    return Cases(read, read, part.truth)


def _others(train: Cases, cases: Cases, reader: Reader, classes: int) -> dict[str, np.ndarray]:
    """Predict the classes with simple baselines."""
    baselines = {"majority": majority(train.truth, len(cases.truth), classes)}
    if isinstance(reader, TextReader):
        baselines["naive Bayes"] = naive_bayes(train.seen, train.truth, cases.seen, classes)
    else:
        baselines["nearest mean"] = nearest_mean(train.read, train.truth, cases.read, classes)
    return baselines
