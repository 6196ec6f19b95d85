"""Evaluation of a model of long sequences: the number of held-out sequences it gets wrong."""

from __future__ import annotations

from flax import nnx

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import HELD_OUT, TESTED, held_out, make_judge, say, verdict


def sequences_wrong(stored: Stored, config: MemoryConfig, scope: Scope) -> Told:
    """Evaluate a sequence model on the puzzle that it learned.

    Args:
        stored: the model.
        config: configuration of its run.
        scope: the split, "valid" or "test".

    Raises:
        ModelError: if the split is another one.
    """
    if scope.split not in HELD_OUT:
        splits = " or ".join(HELD_OUT)
        raise ModelError(f"--split must be {splits} for generated sequences, got {scope.split}")
    judge = make_judge(config.problem, stored.network)
    params = nnx.state(stored.network, nnx.Param)
    loss, wrong = verdict(judge, params, held_out(config, scope.split))
    what = f"{config.problem} {scope.split}"
    figures: dict[str, object] = {
        "on": what,
        "steps": config.steps,
        "sequences": TESTED,
        "wrong": wrong,
        "loss": loss,
    }
    return figures, f"{what}, T = {config.steps:,}: {say(config, loss, wrong)}"
