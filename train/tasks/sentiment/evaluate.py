"""How many sentences a judge of sentiment gets right."""

from __future__ import annotations

from lstm_jax.models.storage import Stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.data import sentiment
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.classify.evaluate import share_right
from lstm_jax.train.tasks.sentiment.config import SentimentConfig
from lstm_jax.train.tasks.sentiment.task import examples


def sentences_right(stored: Stored, config: SentimentConfig, scope: Scope) -> Told:
    """Measure a judge of sentiment on the sentences of a split.

    Args:
        stored: the model.
        config: of its run.
        scope: the split.

    Raises:
        DataError: data that is missing or altered.
    """
    del config
    vocabulary = Vocabulary.restored(stored.description["vocabulary"])
    texts = sentiment.load().splits[scope.split]
    found = examples(texts, vocabulary)
    return share_right(stored, found, f"sentiment {scope.split}", "sentences")
