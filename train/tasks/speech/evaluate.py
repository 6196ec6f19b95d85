"""How many recordings a listener gets right."""

from __future__ import annotations

from lstm_jax.models.storage import Stored
from lstm_jax.train.data import speech
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.classify.evaluate import share_right
from lstm_jax.train.tasks.speech.config import SpeechConfig
from lstm_jax.train.tasks.speech.predict import scaler_of
from lstm_jax.train.tasks.speech.task import examples, features


def recordings_right(stored: Stored, config: SpeechConfig, scope: Scope) -> Told:
    """Measure a listener on the recordings of a split; of the speaker left out, if one was.

    Args:
        stored: the model.
        config: of its run.
        scope: the split.

    Raises:
        DataError: data that is missing or altered.
        AudioError: librosa is not installed.
    """
    recordings = speech.load().splits(config.left_out)[scope.split]
    found = features(recordings, scope.split)
    who = f", {config.left_out} alone" if config.left_out and scope.split == "test" else ""
    what = f"speech {scope.split}{who}"
    return share_right(stored, examples(recordings, found, scaler_of(stored)), what, "recordings")
