"""Train on data of one's own, in three lines of Python.

    from lstm_jax.train import fit

    run = fit.series(frame, time="date", target="units", by="store", horizon=24)
    run.forecast(steps=24), run.evaluate(), run.model

Each function is the recipe of its name, with the data handed to it: the same configuration, loop,
checkpoints and files as `lstm-jax train text | series | classify | sounds`. Whatever is not said
is chosen from the data, and told.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    """Train a forecaster on a table of one series or many.

    Args:
        data: a frame of pandas, polars, pyarrow or another library that narwhals knows, or the
            path of a CSV, TSV, JSONL or Parquet file.
        time: the column with the times.
        target: the column that is forecast.
        by: the columns that say which series a row is of.
        out: the run's folder; the first free one of runs/series, runs/series-2 ... if None.
        resume: go on with the run that is in the folder.
        overwrite: delete it first.
        writers: what else is told the figures of the run as they come, such as Weights & Biases;
            see `lstm_jax.train.run.writers`.
        **fields: others of `SeriesConfig`, such as `horizon`, `known`, `epochs`.

    Returns:
        The run, with `forecast`, `evaluate`, `plot` and `model`.

    Raises:
        ConfigError: a field that does not exist, or cannot be so; a folder that cannot be used.
        DataError: data that cannot be learned from; it says where and why.
    """
    fields |= {"time": time, "target": target, "by": by}
    given, file = _apart(data)
    return _fit("series", given, {**fields, "file": file}, out, resume, overwrite, writers)


def text(
    data: str | Path | Sequence[str | Path] | None = None,
    *,
    texts: Sequence[str] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    writers: Sequence[Writer] = (),
    **fields: Any,
) -> Run[Any]:
    """Train a language model on texts.

    Args:
        data: the path of a UTF-8 file, or several, or patterns such as "novels/*.txt"; or
        texts: the texts themselves.
        out, resume, overwrite, writers: as in `series`.
        **fields: others of `TextConfig`, such as `unit`, `epochs`.

    Returns:
        The run, with `generate`, `score`, `evaluate` and `model`.

    Raises:
        ConfigError, DataError: as in `series`.
    """
    if data is not None:
        files = [data] if isinstance(data, str | Path) else data
        fields["file"] = [str(file) for file in files]
    given = [texts] if isinstance(texts, str) else texts
    return _fit("text", given, fields, out, resume, overwrite, writers)


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
        data: a frame, or the path of a CSV, TSV, JSONL, Parquet or .ts file.
        label: the column with the classes; a .ts file has none, and needs none.
        out, resume, overwrite, writers: as in `series`.
        **fields: others of `ClassifyConfig`: `text`, the column with the texts, or `by` and `time`
            of a table with a row for each step of a sequence; `group`, `epochs`.

    Returns:
        The run, with `predict`, `evaluate`, `plot` and `model`.

    Raises:
        ConfigError, DataError: as in `series`.
    """
    given, file = _apart(data)
    fields |= {"file": file, "label": label}
    return _fit("classify", given, fields, out, resume, overwrite, writers)


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
        data: the path of a folder with a folder of recordings for each class; or a table with a
            row for each recording, a frame or the path of a CSV, TSV, JSONL or Parquet file.
        out, resume, overwrite, writers: as in `series`.
        **fields: others of `SoundsConfig`: `path` and `label`, the columns of a table with the
            files and their classes; `group`, `epochs`.

    Returns:
        The run, with `predict`, `evaluate`, `plot` and `model`.

    Raises:
        ConfigError, DataError: as in `series`.
        AudioError: librosa is not installed.
    """
    given, file = _apart(data)
    place = "folder" if file is not None and Path(file).is_dir() else "file"
    return _fit("sounds", given, {**fields, place: file}, out, resume, overwrite, writers)


def configured(recipe: str, values: dict[str, Any]) -> TrainConfig:
    """Give a recipe's configuration with other values in some of its fields.

    Args:
        recipe: its name in `lstm_jax.configs`.
        values: by the fields' names; those that are None are left as they are. Where a field is a
            tuple, a string is taken for the only one in it.

    Raises:
        ConfigError: there is no such field; it says which is near.
    """
    config = importlib.import_module(f"lstm_jax.configs.{recipe}").config
    known = [field.name for field in dataclasses.fields(config)]
    made = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"{recipe} has no field {name!r}; {did_you_mean(name, known)}")
        if value is None:
            continue
        if isinstance(getattr(config, name), tuple):
            value = (value,) if isinstance(value, str) else tuple(value)
        made[name] = value
    return replace(config, **made)


def free_folder(recipe: str) -> Path:
    """Find a folder in `RUNS` in which there is nothing yet: series, series-2, series-3."""
    folder, number = RUNS / recipe, 1
    while folder.exists():
        number += 1
        folder = RUNS / f"{recipe}-{number}"
    return folder


def _apart(data: object) -> tuple[object, str | None]:
    """Tell a frame from the path of a file."""
    return (None, str(data)) if isinstance(data, str | Path) else (data, None)


def _fit(
    recipe: str,
    given: object,
    values: dict[str, Any],
    out: str | Path | None,
    resume: bool,
    overwrite: bool,
    writers: Sequence[Writer],
) -> Run[Any]:
    console = Console(highlight=False, markup=False, emoji=False)
    look = fitting.look_at(configured(recipe, values), given, console=console)
    folder = free_folder(recipe) if out is None else Path(out)
    facts = {"command": f"lstm_jax.train.fit.{recipe}"}
    fitting.train(
        look, folder, resume=resume, overwrite=overwrite, facts=facts, console=console,
        writers=writers,
    )  # fmt: skip
    return load(folder, given)
