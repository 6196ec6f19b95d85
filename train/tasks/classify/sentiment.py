"""Sentences and what they think of a film: learned from phrases, judged on sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.data import sentiment
from lstm_jax.train.data.sentiment import LABELS, Sentiment, Text
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.examples import Examples, rows_of
from lstm_jax.train.tasks.classify.task import ClassifierTask


def make_sentiment_task(config: ClassifyConfig, data: Sentiment | None = None) -> ClassifierTask:
    """Load, number the words of the training texts alone, and encode.

    Args:
        config: of the run.
        data: what `sentiment.load()` gives, if it is at hand.

    Raises:
        DataError: a file is missing, altered or out of reach.
    """
    data = data or sentiment.load()
    texts = learned(data, config.learn)
    vocabulary = Vocabulary.from_texts((text.words for text in texts), min_count=1)
    sentences = f"{len(data.train):,} sentences"
    phrases = len(texts) - len(data.train)
    what = f"{sentences} and {phrases:,} phrases of theirs" if phrases else sentences
    return ClassifierTask(
        config,
        description=f"sentiment: {what}, {len(vocabulary):,} words",
        unit="sentences",
        facts={"data": "sentiment", "data_sha256": data.sha256},
        identity={"vocabulary": vocabulary.digest, "data": data.sha256},
        train=examples(texts, vocabulary),
        valid=examples(data.valid, vocabulary),
        reads={"vocabulary_size": len(vocabulary)},
        own={"classes": LABELS, "vocabulary": vocabulary.to_store()},
        rows_of=partial(rows_of, config.words),
        halfway=True,
    )


def learned(data: Sentiment, what: str) -> tuple[Text, ...]:
    """Choose the training texts; sentences come twice where phrases are learned, once as a phrase.

    Args:
        data: of all splits.
        what: as `ClassifyConfig.learn` has it.
    """
    phrases = {
        "sentences": (),
        "phrases": tuple(text for text in data.phrases if text.label is not None),
        "neutral": data.phrases,
    }
    return data.train + phrases[what]


def examples(texts: Sequence[Text], vocabulary: Vocabulary) -> Examples:
    """Encode texts, and their labels as probabilities: of one that is neutral, a half each.

    Args:
        texts: N of them.
        vocabulary: of the training texts.
    """
    known = np.eye(len(LABELS), dtype=np.float32)
    neutral = np.full(len(LABELS), 1 / len(LABELS), np.float32)
    targets = [neutral if text.label is None else known[text.label] for text in texts]
    return Examples([vocabulary.encode(text.words) for text in texts], np.stack(targets))
