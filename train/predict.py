"""`lstm-jax predict` and `forecast`: what a trained model says of what a user gives it."""

from __future__ import annotations

from typing import Any

from lstm_jax.models import storage
from lstm_jax.models.storage import ModelError
from lstm_jax.train.problem import Ask
from lstm_jax.train.problems import PROBLEMS, from_dict, problem_of


def ask_of(command: str, model: str) -> Ask[Any]:
    """Find what a command asks of a model.

    Args:
        command: such as "predict".
        model: a run's folder, or the name of one in `runs`.

    Raises:
        ModelError: there is no such model, or it is of a kind that is not asked this.
        ConfigError: its card cannot be read.
    """
    description = storage.describe(model)
    problem = problem_of(from_dict(description["card"].get("config", {})))
    if command in problem.asks:
        return problem.asks[command]
    kinds = ", ".join(name for name, other in PROBLEMS.items() if command in other.asks)
    raise ModelError(
        f"`{command}` is for models of {kinds}, and {model} is of {problem.name}"
        + "".join(f": try `lstm-jax {name} {model}`" for name in problem.asks)
    )
