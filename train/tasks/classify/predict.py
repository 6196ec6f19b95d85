"""Ask a trained classifier."""

from __future__ import annotations

import numpy as np
from flax import nnx

from lstm_jax.models import storage
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.padding import pad
from lstm_jax.train.tasks.classify.examples import widths_of
from lstm_jax.train.tasks.classify.judge import make_reader


def load(folder: str, data: str) -> Stored:
    """Load the classifier in a run's folder.

    Args:
        folder: of the run.
        data: what it must have learned from; the recipe's name.

    Raises:
        ModelError: there is none, or one that learned something else.
    """
    try:
        stored = storage.load(folder, "SequenceClassifier")
    except ModelError as error:
        raise ModelError(f"{error}; `lstm-jax train {data}` trains one") from None
    if stored.card.get("data") != data:
        raise ModelError(
            f"the model in {folder} learned from {stored.card.get('data')!r}, not from {data}: "
            "give another --model"
        )
    return stored


def after_each(stored: Stored, sequence: np.ndarray) -> np.ndarray:
    """Ask for the classes after each step of a sequence.

    A bidirectional model reads what there is so far from both ends, so each row is a reading of
    its own: one batch of all beginnings.

    Args:
        stored: the model.
        sequence: ids (T,), or vectors (T, D).

    Returns:
        Probabilities, (T, C).
    """
    beginnings = [sequence[: step + 1] for step in range(len(sequence))]
    inputs, lengths = pad(beginnings, to=widths_of(len(sequence))[-1])
    read = make_reader(stored.network)
    return np.exp(np.asarray(read(nnx.state(stored.network, nnx.Param), inputs, lengths)))
