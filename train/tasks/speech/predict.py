"""`lstm-jax predict speech`: what a trained model says of one recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from flax import nnx

from lstm_jax.models.storage import Stored
from lstm_jax.train.data import audio
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.problem import Answer
from lstm_jax.train.tasks.classify.judge import log_probabilities, make_reader
from lstm_jax.train.tasks.classify.predict import load

RUNNERS_UP = 2


@dataclass(frozen=True)
class SpeechOptions:
    """What to listen to, and with which model."""

    model: tyro.conf.Positional[str]
    """The folder of a run of `lstm-jax train speech`."""
    file: tyro.conf.Positional[Path]
    """A wav file with one spoken digit."""
    json: bool = False
    """Print JSON."""


def recognise(options: SpeechOptions) -> Answer:
    """Recognise a spoken digit.

    Args:
        options: the file and the model.

    Raises:
        ModelError: no such model.
        AudioError: a file that is no sound, or no librosa.
    """
    samples, notes = audio.read(options.file)
    stored = load(options.model, "speech")
    classes = stored.description["classes"]
    features = [features_of(stored, samples)]
    read, params = make_reader(stored.network), nnx.state(stored.network, nnx.Param)
    [probabilities] = np.exp(log_probabilities(read, params, features))
    order = np.argsort(-probabilities, kind="stable").tolist()
    figures: dict[str, object] = {
        "digit": classes[order[0]],
        "probability": round(float(probabilities[order[0]]), 4),
        "probabilities": {classes[i]: round(float(probabilities[i]), 4) for i in order},
    }
    next_ones = ", ".join(f"{classes[i]} {probabilities[i]:.1%}" for i in order[1 : RUNNERS_UP + 1])
    said = f"{classes[order[0]]}, {probabilities[order[0]]:.1%}  (then {next_ones})"
    return Answer(figures, said, [f"{options.file}: {note}" for note in notes])


def features_of(stored: Stored, samples: np.ndarray) -> np.ndarray:
    """Compute what a speech model reads of a sound, scaled as its training recordings were.

    Args:
        stored: the model.
        samples: (n,) float32 at `audio.RATE`.

    Returns:
        (T, `audio.BANDS`), float32.
    """
    return scaler_of(stored)(audio.log_mel(samples))


def scaler_of(stored: Stored) -> Scaler:
    """Take the scaler out of a model's description."""
    return Scaler.from_dict(stored.description, np.float32)
