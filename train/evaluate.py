"""`lstm-jax evaluate`: measure a trained model on held-out data."""

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
    """Configure an evaluation."""

    model: tyro.conf.Positional[str] = "tang"
    """Name of a released model, or folder of a run."""
    split: Literal["train", "valid", "test"] = "test"
    """Split of the run's data to evaluate on."""
    file: Path | None = None
    """File to evaluate on instead of a split, in the format of the training data; for language
    models of separate texts, a UTF-8 file with one text per line."""
    backtest: int = 0
    """Number of successive origins to forecast from; for forecasters."""
    dynamic: bool = False
    """Dynamic evaluation of a language model: it keeps learning from the running text, scoring each
    segment before it trains on it. The result is reported separately."""
    rows: int = 48
    """Number of texts read side by side; it does not change the result."""
    plot: bool = False
    """Draw a picture in the run's folder: forecast.png, reliability.png for a classifier, or
    fixed_points.png for the flip-flop."""
    json: bool = False
    """Print JSON."""


def measure(options: EvaluateOptions) -> Told:
    """Evaluate the model in a run's folder, or a released model.

    Args:
        options: the options of the command line.

    Returns:
        The figures for JSON, and the same figures as text: a line or a table.

    Raises:
        ModelError, ConfigError: if there is no such model, it has been altered, or an option does
            not apply to it.
        DataError: if the data are missing or altered.
    """
    stored = storage.load(options.model)
    config = from_dict(stored.card.get("config", {}))
    problem = problem_of(config)
    if stored.description["kind"] != problem.network:
        raise ModelError(f"the card of {options.model} does not name a problem of this package")
    if options.plot and not problem.picture:
        raise ModelError(
            f"--plot is for forecasters and classifiers only; {options.model} is neither"
        )
    picture = storage.find(options.model) / problem.picture if options.plot else None
    scope = Scope(
        options.split, options.file, options.rows, picture, options.backtest,
        dynamic=options.dynamic,
    )  # fmt: skip
    figures, report = problem.measure(stored, config, scope, name=options.model)
    return {"model": options.model, **figures}, report
