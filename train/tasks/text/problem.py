"""Texts, character by character."""

from lstm_jax.train.data import shakespeare, tang
from lstm_jax.train.look import without_choice
from lstm_jax.train.problem import Problem
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.evaluate import perplexity
from lstm_jax.train.tasks.text.rows import texts_to_read
from lstm_jax.train.tasks.text.task import make_text_task

TEXT = Problem(
    name="text",
    config=TextConfig,
    look=without_choice(make_text_task),
    network="CharLM",
    evaluate=perplexity,
    rows=texts_to_read,
    reads_files=True,
    data={"tang": tang.describe, "shakespeare": shakespeare.describe},
)
