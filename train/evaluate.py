"""`lstm-jax evaluate`: what a trained model is worth on data that it did not learn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from lstm_jax.models import storage
from lstm_jax.models.storage import ModelError
from lstm_jax.train.problems import from_dict, problem_of
from lstm_jax.train.scope import Scope, Told


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure, and on what."""

    model: tyro.conf.Positional[str] = "tang"
    """A released model's name or a run's folder."""
    split: Literal["train", "valid", "test"] = "test"
    """The split of the data that the model was trained on."""
    file: Path | None = None
    """Instead of a split, a file of the kind that the model learned from; for language models, a
    UTF-8 file with one text a line."""
    backtest: int = 0
    """Forecast from so many origins, one after the other; for forecasters."""
    dynamic: bool = False
    """Let a language model go on learning from the running text that it is judged on: each segment
    is scored first and learned from then (dynamic evaluation). Its figure is said apart."""
    rows: int = 48
    """Texts read side by side; it does not change the figure."""
    plot: bool = False
    """Draw a picture in the run's folder: forecast.png, or a classifier's reliability.png."""
    json: bool = False
    """Print JSON."""


def measure(options: EvaluateOptions) -> Told:
    """Measure the model in a run's folder, or a released one.

    Args:
        options: as on the command line.

    Returns:
        Figures for JSON, and what to say of them: one line, or a table.

    Raises:
        ModelError, ConfigError: no such model, an altered one, or options that are not for it.
        DataError: data that is missing or altered.
    """
    if options.rows < 1:
        raise ModelError(f"--rows must be at least 1, got {options.rows}")
    stored = storage.load(options.model)
    config = from_dict(stored.card.get("config", {}))
    problem = problem_of(config)
    if stored.description["kind"] != problem.network:
        raise ModelError(f"the card of {options.model} names no problem of this package")
    if options.file is not None and not problem.reads_files:
        raise ModelError(f"--file is not for {options.model}, which learned from no files")
    if options.backtest < 0:
        raise ModelError(f"--backtest must be at least 0, got {options.backtest}")
    if options.backtest and not problem.backtests:
        raise ModelError(f"--backtest is for forecasters, and {options.model} is none")
    if options.dynamic and not problem.dynamic:
        raise ModelError(f"--dynamic is for language models, and {options.model} is none")
    if options.plot and not problem.picture:
        raise ModelError(f"--plot is for forecasters and classifiers, and {options.model} is none")
    picture = storage.find(options.model) / problem.picture if options.plot else None
    scope = Scope(
        options.split, options.file, options.rows, picture, options.backtest,
        dynamic=options.dynamic,
    )  # fmt: skip
    figures, said = problem.evaluate(stored, config, scope)
    return {"model": options.model, **figures}, said
