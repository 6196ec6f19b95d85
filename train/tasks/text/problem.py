"""The problem of language modeling."""

from lstm_jax.train.data import shakespeare, tang
from lstm_jax.train.problem import Problem
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.evaluate import perplexity
from lstm_jax.train.tasks.text.look import look_at_texts
from lstm_jax.train.tasks.text.rows import texts_to_read
from lstm_jax.train.tasks.text.run import TextRun

TEXT = Problem(
    name="text",
    config=TextConfig,
    look=look_at_texts,
    network="CharLM",
    evaluate=perplexity,
    rows=texts_to_read,
    reads_files=True,
    dynamic=True,
    run=TextRun,
    data={"tang": tang.describe, "shakespeare": shakespeare.describe},
)
