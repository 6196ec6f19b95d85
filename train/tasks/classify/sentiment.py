"""The task of classifying film reviews: trained on phrases, validated on sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from lstm_jax.models.bags import spelled, stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.data import sentiment
from lstm_jax.train.data.sentiment import LABELS, Sentiment, Text
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.examples import Examples, rows_of
from lstm_jax.train.tasks.classify.task import ClassifierTask


def make_sentiment_task(config: ClassifyConfig, data: Sentiment | None = None) -> ClassifierTask:
    """Build a vocabulary from the training texts alone, encode all texts, and build the task.

    Args:
        config: configuration of the run.
        data: the data, if they are loaded already.

    Raises:
        DataError: if a file is missing, altered or out of reach.
    """
    data = data or sentiment.load()
    texts = learned(data, config.learn)
    words = Vocabulary.from_texts((text.words for text in texts), min_count=1)
    vocabulary = spelled(words, config.grams)
    sentences = f"{len(data.train):,} sentences"
    phrases = len(texts) - len(data.train)
    contents = f"{sentences} and {phrases:,} of their phrases" if phrases else sentences
    return ClassifierTask(
        config,
        description=f"sentiment: {contents}, {len(words):,} words",
        unit="sentences",
        facts={"data": "sentiment", "data_sha256": data.sha256},
        identity={"vocabulary": vocabulary.digest, "data": data.sha256},
        train=examples(texts, vocabulary, graded=config.learn == "grades"),
        valid=examples(data.valid, vocabulary),
        reads={"vocabulary_size": len(vocabulary)},
        own={"classes": LABELS, **stored(vocabulary)},
        rows_of=partial(rows_of, config.words),
        halfway=True,
        calibrated=True,
    )


def learned(data: Sentiment, what: str) -> tuple[Text, ...]:
    """Select the training texts; with phrases, each sentence occurs twice, once as a phrase.

    Args:
        data: the texts of all splits.
        what: the value of `ClassifyConfig.learn`.
    """
    phrases = {
        "sentences": (),
        "phrases": tuple(text for text in data.phrases if text.label is not None),
        "neutral": data.phrases,
        "grades": data.phrases,
    }
    return data.train + phrases[what]


def examples(texts: Sequence[Text], vocabulary: Vocabulary, *, graded: bool = False) -> Examples:
    """Encode texts, and the probability that each is praise.

    Args:
        texts: N texts.
        vocabulary: vocabulary of the training texts.
        graded: whether the probability is the text's grade, instead of that of its label, which is
            0 or 1, or a half for neutral texts.
    """
    labels = (0.5 if text.label is None else text.label for text in texts)
    praise = np.fromiter((text.grade for text in texts) if graded else labels, np.float32)
    inputs = [vocabulary.encode(text.words) for text in texts]
    return Examples(inputs, np.stack([1 - praise, praise], 1))
