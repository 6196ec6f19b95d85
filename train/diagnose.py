"""The held-out data that `lstm-jax diagnose` runs a model on."""

from __future__ import annotations

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.report.rows import Rows, Texts
from lstm_jax.train.problems import from_dict, problem_of


def find(stored: Stored, count: int, steps: int) -> Rows | Texts:
    """Load held-out data of the problem that a model was trained on.

    Args:
        stored: the model.
        count: the maximum number of sequences.
        steps: the maximum number of steps in each.

    Returns:
        The data for the model to read.

    Raises:
        ModelError: if the model's card names no problem of this package, or one without such data.
        ConfigError: if the card's configuration is not valid in this version.
        DataError: if the data are missing or altered.
    """
    kind, values = stored.description["kind"], stored.card.get("config")
    if values is None:
        raise ModelError(
            f"the card of this {kind} does not say which data it was trained on"
            + ("; pass texts with --file" if kind == "CharLM" else "")
        )
    config = from_dict(values)
    problem = problem_of(config)
    if problem.rows is None or problem.network != kind:
        raise ModelError(f"the card of this {kind} names a problem that has no data for it")
    return problem.rows(stored, config, count, steps)
