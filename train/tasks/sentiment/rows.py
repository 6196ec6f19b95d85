"""Sentences for a report."""

from __future__ import annotations

from lstm_jax.models.storage import Stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.report.rows import Rows
from lstm_jax.train.data import sentiment
from lstm_jax.train.tasks.classify.rows import rows_of_examples
from lstm_jax.train.tasks.sentiment.config import SentimentConfig
from lstm_jax.train.tasks.sentiment.task import examples


def sentences_to_read(stored: Stored, config: SentimentConfig, count: int, steps: int) -> Rows:
    """Take sentences of the test split.

    Args:
        stored: the model.
        config: is not asked.
        count, steps: as in `rows_of_examples`.

    Raises:
        DataError: data that is missing or altered.
    """
    del config
    texts = sentiment.load().splits["test"]
    vocabulary = Vocabulary.restored(stored.description["vocabulary"])
    return rows_of_examples(
        examples(texts, vocabulary),
        count,
        steps,
        kind="sentence",
        source="Sentences of the test split of sentiment.",
        words=[text.words for text in texts],
    )
