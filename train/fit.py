"""Train on your own data, in three lines of Python.

    from lstm_jax.train import fit

    run = fit.series(frame, time="date", target="units", by="store", horizon=24)
    run.forecast(steps=24), run.evaluate(), run.model

Each function runs the recipe of the same name on the data passed to it, with the same
configuration, loop, checkpoints and files as `lstm-jax train text | series | classify | sounds`.
Settings that you leave out are chosen from the data and reported.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
from rich.console import Console

from lstm_jax.models.storage import RUNS
from lstm_jax.spelling import did_you_mean
from lstm_jax.train import fitting
from lstm_jax.train.config import ConfigError, TrainConfig
from lstm_jax.train.problems import open_run as load
from lstm_jax.train.run.writers import Writer
from lstm_jax.train.runs import Run

__all__ = ["classify", "load", "series", "sounds", "text"]


def series(
    data: object,
    *,
    time: str,
    target: str,
    by: str | Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[Writer] = (),
    **fields: Any,
) -> Run[Any]:
    """Train a forecaster on a table with one or more time series.

    Args:
        data: a data frame of pandas, polars, pyarrow or another library that narwhals supports, or
            the path of a CSV, TSV, JSONL or Parquet file.
        time: the column with the times.
        target: the column to forecast.
        by: the column or columns that identify the series a row belongs to.
        out: the run's folder; if None, the first of runs/series, runs/series-2, ... that does not
            exist yet.
        resume: whether to continue the run in the folder.
        overwrite: whether to delete the run in the folder first.
        writers: objects that receive the run's figures as they are written, for example for
            Weights & Biases; see `lstm_jax.train.run.writers`.
        **fields: other fields of `SeriesConfig`, such as `horizon`, `known`, `epochs`.

    Returns:
        The run, with `forecast`, `evaluate`, `plot` and `model`.

    Raises:
        ConfigError: if a field is unknown or its value invalid, or the folder cannot be used.
        DataError: if the data cannot be trained on; the message says where and why.
    """
    fields |= {"time": time, "target": target, "by": by}
    frame, file = _frame_or_path(data)
    return _fit("series", frame, {**fields, "file": file}, out, resume, overwrite, writers)


def text(
    data: str | Path | Sequence[str | Path] | None = None,
    *,
    texts: Sequence[str] | None = None,
    cut: Literal["auto", "file", "line", "paragraph"] = "auto",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[Writer] = (),
    **fields: Any,
) -> Run[Any]:
    """Train a language model on texts.

    Args:
        data: the path of a UTF-8 file, several paths, or patterns such as "novels/*.txt".
        texts: the texts themselves, instead of `data`.
        cut: what a text is: a whole file or element of `texts`, a line or a paragraph of it; the
            field `texts` of `TextConfig`.
        out, resume, overwrite, writers: as in `series`.
        **fields: other fields of `TextConfig`, such as `unit`, `epochs`.

    Returns:
        The run, with `generate`, `score`, `evaluate` and `model`.

    Raises:
        ConfigError, DataError: as in `series`.
    """
    if data is not None:
        files = [data] if isinstance(data, str | Path) else data
        fields["file"] = [str(file) for file in files]
    texts = [texts] if isinstance(texts, str) else texts
    return _fit("text", texts, {**fields, "texts": cut}, out, resume, overwrite, writers)


def classify(
    data: object,
    *,
    label: str = "",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[Writer] = (),
    **fields: Any,
) -> Run[Any]:
    """Train a classifier of texts, or of sequences of numbers.

    Args:
        data: a data frame, or the path of a CSV, TSV, JSONL, Parquet or .ts file.
        label: the column with the classes; leave it out for a .ts file, which has no columns.
        out, resume, overwrite, writers: as in `series`.
        **fields: other fields of `ClassifyConfig`, such as `group` and `epochs`; `text`, the column
            with the texts; or `by` and `time`, for a table with one row for each step of a
            sequence.

    Returns:
        The run, with `predict`, `evaluate`, `plot` and `model`.

    Raises:
        ConfigError, DataError: as in `series`.
    """
    frame, file = _frame_or_path(data)
    fields |= {"file": file, "label": label}
    return _fit("classify", frame, fields, out, resume, overwrite, writers)


def sounds(
    data: object,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[Writer] = (),
    **fields: Any,
) -> Run[Any]:
    """Train a classifier of recordings.

    Args:
        data: the path of a folder that has a subfolder of recordings for each class; or a table
            with a row for each recording, as a data frame or the path of a CSV, TSV, JSONL or
            Parquet file.
        out, resume, overwrite, writers: as in `series`.
        **fields: other fields of `SoundsConfig`, such as `group` and `epochs`; `path` and `label`
            are the columns of a table with the files and their classes.

    Returns:
        The run, with `predict`, `evaluate`, `plot` and `model`.

    Raises:
        ConfigError, DataError: as in `series`.
        AudioError: if librosa is not installed.
    """
    frame, file = _frame_or_path(data)
    place = "folder" if file is not None and Path(file).is_dir() else "file"
    return _fit("sounds", frame, {**fields, place: file}, out, resume, overwrite, writers)


def configured(recipe: str, values: dict[str, Any]) -> TrainConfig:
    """Return a recipe's configuration with some of its fields replaced.

    Args:
        recipe: the name of the recipe in `lstm_jax.configs`.
        values: the new values, by name of the field; None keeps the recipe's value. A string for a
            field that is a tuple becomes its only element, and a dictionary for a field that has
            fields itself, such as `model`, changes those that it names.

    Raises:
        ConfigError: if there is no such field; the message suggests the nearest one.
    """
    config = importlib.import_module(f"lstm_jax.configs.{recipe}").config
    return _with_values(recipe, config, values)


def _with_values(owner: str, config: Any, values: Mapping[str, Any]) -> Any:
    known = [field.name for field in dataclasses.fields(config)]
    overrides = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"{owner} has no field {name!r}; {did_you_mean(name, known)}")
        if value is not None:
            overrides[name] = _as_field(config, name, value)
    return replace(config, **overrides)


def _as_field(config: Any, name: str, value: Any) -> Any:
    """Convert a value to the type of a field, if there is only one way to do so."""
    default, hint = getattr(config, name), get_type_hints(type(config))[name]
    if dataclasses.is_dataclass(default) and isinstance(value, Mapping):
        return _with_values(name, default, value)
    if isinstance(default, tuple):
        return (value,) if isinstance(value, str) else tuple(value)
    value = value.item() if isinstance(value, np.generic) else value
    # An integer 0 would count as a field that was left open, but a share of 0 is an answer.
    kinds = get_args(hint) or (hint,)
    share = float in kinds and int not in kinds
    return float(value) if share and type(value) is int else value


def free_folder(recipe: str) -> Path:
    """Return the first folder in `RUNS` that does not exist: series, series-2, series-3."""
    folder, number = RUNS / recipe, 1
    while folder.exists():
        number += 1
        folder = RUNS / f"{recipe}-{number}"
    return folder


def _frame_or_path(data: object) -> tuple[object, str | None]:
    return (None, str(data)) if isinstance(data, str | Path) else (data, None)


def _fit(
    recipe: str,
    data: object,
    values: dict[str, Any],
    out: str | Path | None,
    resume: bool,
    overwrite: bool,
    writers: Sequence[Writer],
) -> Run[Any]:
    console = Console(highlight=False, markup=False, emoji=False)
    folder = free_folder(recipe) if out is None else Path(out)
    resumed = folder if resume else None
    look = fitting.look_at(configured(recipe, values), data, resumed=resumed, console=console)
    facts = {"command": f"lstm_jax.train.fit.{recipe}"}
    fitting.train(
        look, folder, resume=resume, overwrite=overwrite, facts=facts, console=console,
        writers=writers,
    )  # fmt: skip
    return load(folder, data)
