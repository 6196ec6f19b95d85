"""`lstm-jax diagnose`: what a model is to read, of data that it did not learn from."""

from __future__ import annotations

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.report.rows import Rows, Texts
from lstm_jax.train.problems import from_dict, problem_of


def find(stored: Stored, count: int, steps: int) -> Rows | Texts:
    """Ask the problem that a model was trained on for held-out data.

    Args:
        stored: the model.
        count: of sequences, at most.
        steps: of each, at most.

    Returns:
        What the model is to read.

    Raises:
        ModelError: a card that names no problem of this package, or one that has no such data.
        ConfigError: a card whose configuration is not known here.
        DataError: data that is missing or altered.
    """
    kind, written = stored.description["kind"], stored.card.get("config")
    if written is None:
        raise ModelError(
            f"the card of this {kind} names no run, and so no data to read: give texts with --file"
            if kind == "CharLM"
            else f"the card of this {kind} names no run, and so no data to read"
        )
    config = from_dict(written)
    problem = problem_of(config)
    if problem.rows is None or problem.network != kind:
        raise ModelError(f"the card of this {kind} names a problem that has no data for it")
    return problem.rows(stored, config, count, steps)
