"""Held-out texts for a report on a language model."""

from __future__ import annotations

from lstm_jax.models.storage import Stored
from lstm_jax.report.rows import Texts
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.stream import own_texts
from lstm_jax.train.tasks.text.task import load_texts


def texts_to_read(stored: Stored, config: TextConfig, count: int, steps: int) -> Texts:
    """Select texts of the test split, or of the validation split if there is no test split.

    Args:
        stored: ignored.
        config: configuration of the run.
        count: number of texts.
        steps: number of symbols read from each text.

    Raises:
        DataError: if data are missing or altered.
    """
    del stored
    loaded = own_texts(config) if config.own else load_texts(config.data)
    split = "test" if loaded.splits.get("test") else "valid"
    texts = loaded.splits[split]
    source = f"Texts of the {split} split of {loaded.facts['data']}."
    if not loaded.running:
        return Texts(texts, source)
    # A continuous text is cut into the requested number of pieces, far from one another.
    whole = "".join(texts)
    stride = max(len(whole) // count, steps)
    pieces = [whole[at : at + steps] for at in range(0, len(whole), stride)]
    return Texts(pieces, f"{source} Each one starts from the empty state.")
