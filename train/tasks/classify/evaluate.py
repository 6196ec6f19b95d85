"""What a classifier is worth: the share of sequences that it gets right."""

from __future__ import annotations

from flax import nnx

from lstm_jax.models.storage import Stored
from lstm_jax.train.scope import Told
from lstm_jax.train.tasks.classify.examples import Examples
from lstm_jax.train.tasks.classify.judge import judge, make_reader


def share_right(stored: Stored, examples: Examples, what: str, unit: str) -> Told:
    """Measure a classifier on examples.

    Args:
        stored: the model.
        examples: what it is to tell apart.
        what: the examples are, for a person.
        unit: what one of them is, in the plural.
    """
    params = nnx.state(stored.network, nnx.Param)
    found = judge(make_reader(stored.network), params, examples)
    figures: dict[str, object] = {
        "on": what,
        unit: found.sequences,
        "wrong": found.wrong,
        "accuracy": found.accuracy,
        "nats": found.nats,
    }
    return figures, f"{what}: {found.say(unit)}"
