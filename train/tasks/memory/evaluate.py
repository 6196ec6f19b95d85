"""Evaluation of a model of long sequences: the number of held-out sequences it gets wrong."""

from __future__ import annotations

from flax import nnx

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.scope import Scope, Told, drawing
from lstm_jax.train.tasks.memory import rest
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import HELD_OUT, TESTED, held_out, make_judge, say, verdict

READ = 64  # sequences whose states the search for fixed points begins at


def sequences_wrong(stored: Stored, config: MemoryConfig, scope: Scope) -> Told:
    """Evaluate a sequence model on the puzzle that it learned.

    Args:
        stored: the model.
        config: configuration of its run.
        scope: the split, "valid" or "test".

    Raises:
        ModelError: if the split is another one, a picture is requested of a problem other than the
            flip-flop, or matplotlib is not installed.
    """
    if scope.split not in HELD_OUT:
        splits = " or ".join(HELD_OUT)
        raise ModelError(f"--split must be {splits} for generated sequences, got {scope.split}")
    flipflop = config.problem == "flipflop"
    if scope.picture is not None and not flipflop:
        raise ModelError(
            f"--plot needs a run of flipflop among the generated problems, got {config.problem}"
        )
    judge = make_judge(config.problem, stored.network)
    params = nnx.state(stored.network, nnx.Param)
    batches = held_out(config, scope.split)
    loss, wrong = verdict(judge, params, batches)
    what = f"{config.problem} {scope.split}"
    figures: dict[str, object] = {
        "on": what,
        "steps": config.steps,
        "sequences": TESTED,
        "wrong": wrong,
        "loss": loss,
    }
    said = f"{what}, T = {config.steps:,}: {say(config, loss, wrong)}"
    if not flipflop:
        return figures, said
    found = rest.find_rest(stored.network, batches[0].inputs[:READ])
    if scope.picture is not None:
        with drawing(scope.picture):
            from lstm_jax.train.tasks.memory.picture import draw

            draw(found, scope.picture)
        said += f"; {scope.picture}"
    return {**figures, **rest.figures(found)}, f"{said}\n{rest.describe(found)}"
