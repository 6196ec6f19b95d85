"""Made-up sentences and recordings, small enough to be learned in seconds."""

from dataclasses import replace

import numpy as np

from lstm_jax.train.data.sentiment import Sentiment, Text
from lstm_jax.train.data.speech import Recording, Speech


def texts(count, seed):
    """A sentence of four words likes a film where it says that it is good."""
    rng = np.random.default_rng(seed)
    found = []
    for label in rng.integers(0, 2, count).tolist():
        words = rng.choice(["a", "film", "of", "some", "kind"], 3).tolist()
        words.insert(rng.integers(0, 4), ("bad", "good")[label])
        found.append(Text(tuple(words), label))
    return tuple(found)


def recordings():
    """Two digits of two pitches, by two speakers."""
    rng = np.random.default_rng(0)
    return tuple(
        Recording(
            (np.sin(np.arange(900) * (0.4 + digit)) + 0.1 * rng.normal(size=900)).astype("f4"),
            digit, speaker, index,
        )
        for digit in range(2) for speaker in ("ada", "bob") for index in range(14)
    )  # fmt: skip


def sentiment_data():
    """What the loader of sentiment gives, made up."""
    data = Sentiment(texts(60, 0), texts(12, 1), texts(20, 2), texts(30, 3), 0, "0" * 64)
    neutral = (Text(("film",), None), Text(("a", "kind"), None))
    return replace(data, phrases=data.phrases + neutral)


def speech_data():
    """What the loader of speech gives, made up."""
    return Speech(recordings(), "1" * 64)
