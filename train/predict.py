"""`lstm-jax predict` and `lstm-jax forecast`: apply a trained model to a user's data."""

from __future__ import annotations

from typing import Any

from lstm_jax.models import storage
from lstm_jax.models.storage import ModelError
from lstm_jax.train.problem import Ask
from lstm_jax.train.problems import PROBLEMS, from_dict, problem_of


def ask_of(command: str, model: str) -> Ask[Any]:
    """Return the question that a command puts to a model.

    Args:
        command: the name of the command, such as "predict".
        model: a run's folder, or its name in `runs`.

    Raises:
        ModelError: if there is no such model, or the command does not apply to its kind.
        ConfigError: if its card cannot be read.
    """
    description = storage.describe(model)
    problem = problem_of(from_dict(description["card"].get("config", {})))
    if command in problem.asks:
        return problem.asks[command]
    kinds = ", ".join(name for name, other in PROBLEMS.items() if command in other.asks)
    raise ModelError(
        f"`{command}` is for models of the kind {kinds}, but {model} is of the kind {problem.name}"
        + "".join(f"; try `lstm-jax {name} {model}`" for name in problem.asks)
    )
