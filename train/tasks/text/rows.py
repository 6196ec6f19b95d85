"""Texts for a report: those that a language model did not learn from."""

from __future__ import annotations

from lstm_jax.models.storage import Stored
from lstm_jax.report.rows import Texts
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.stream import own_texts
from lstm_jax.train.tasks.text.task import load_texts


def texts_to_read(stored: Stored, config: TextConfig, count: int, steps: int) -> Texts:
    """Take texts of the test split, or where there is none, of the validation's.

    Args:
        stored: is not asked.
        config: of the run.
        count: of texts wanted.
        steps: of each that are read.

    Raises:
        DataError: data that is missing or altered.
    """
    del stored
    loaded = own_texts(config) if config.own else load_texts(config.data)
    split = "test" if loaded.splits.get("test") else "valid"
    texts = loaded.splits[split]
    source = f"Texts of the {split} split of {loaded.facts['data']}."
    if not loaded.running:
        return Texts(texts, source)
    # A text that goes on and on is cut into pieces, as many as are wanted, far from one another.
    whole = "".join(texts)
    stride = max(len(whole) // count, steps)
    pieces = [whole[at : at + steps] for at in range(0, len(whole), stride)]
    return Texts(pieces, f"{source} Each begins anew, as though nothing had stood before it.")
