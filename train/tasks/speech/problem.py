"""Spoken digits."""

from lstm_jax.train.data import speech
from lstm_jax.train.look import without_choice
from lstm_jax.train.problem import Ask, Problem
from lstm_jax.train.tasks.speech.config import SpeechConfig
from lstm_jax.train.tasks.speech.evaluate import recordings_right
from lstm_jax.train.tasks.speech.predict import SpeechOptions, recognise
from lstm_jax.train.tasks.speech.rows import recordings_to_read
from lstm_jax.train.tasks.speech.task import make_speech_task

SPEECH = Problem(
    name="speech",
    config=SpeechConfig,
    look=without_choice(make_speech_task),
    network="SequenceClassifier",
    evaluate=recordings_right,
    rows=recordings_to_read,
    asks={"predict": Ask(SpeechOptions, recognise)},
    data={"speech": speech.describe},
)
