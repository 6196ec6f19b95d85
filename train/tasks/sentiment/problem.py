"""Sentences and what they think of a film."""

from lstm_jax.train.data import sentiment
from lstm_jax.train.look import without_choice
from lstm_jax.train.problem import Ask, Problem
from lstm_jax.train.tasks.sentiment.config import SentimentConfig
from lstm_jax.train.tasks.sentiment.evaluate import sentences_right
from lstm_jax.train.tasks.sentiment.predict import SentimentOptions, judge_sentence
from lstm_jax.train.tasks.sentiment.rows import sentences_to_read
from lstm_jax.train.tasks.sentiment.task import make_sentiment_task

SENTIMENT = Problem(
    name="sentiment",
    config=SentimentConfig,
    look=without_choice(make_sentiment_task),
    network="SequenceClassifier",
    evaluate=sentences_right,
    rows=sentences_to_read,
    asks={"predict": Ask(SentimentOptions, judge_sentence)},
    data={"sentiment": sentiment.describe},
)
