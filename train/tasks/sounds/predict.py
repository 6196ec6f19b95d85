"""`lstm-jax predict`: the classes of recordings, by a trained classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from lstm_jax.models import storage
from lstm_jax.models.storage import Stored
from lstm_jax.train.data import audio
from lstm_jax.train.data.audio import AudioError
from lstm_jax.train.problem import Answer
from lstm_jax.train.tasks.classify.answers import Prediction
from lstm_jax.train.tasks.classify.judge import judged
from lstm_jax.train.tasks.sounds.task import longest_of, mel_of, scaler_of, scales_groups

RUNNERS_UP = 2
ENOUGH = 10  # recordings of a speaker, for their mean and deviation


@dataclass(frozen=True)
class SoundsOptions:
    """Configure which recordings to classify, and with which model."""

    model: tyro.conf.Positional[str]
    """Folder of a run of `lstm-jax train sounds` or `train speech`, or its name in runs."""
    files: tyro.conf.Positional[tuple[Path, ...]]
    """Sound files, such as WAV, FLAC or Ogg, with one recording in each."""
    json: bool = False
    """Print JSON."""


def recognize(options: SoundsOptions) -> Answer:
    """Classify recordings.

    Args:
        options: the files and the model.

    Raises:
        ModelError: if there is no such model.
        AudioError: if none of the files is a sound, or librosa is not installed.
    """
    if not options.files:
        raise AudioError("there must be at least one sound file")
    stored = storage.load(options.model, "SequenceClassifier")
    sounds, notes, errors = [], [], {}
    for path in options.files:
        try:
            samples, messages = audio.read(path, mel_of(stored).rate, longest_of(stored))
        except AudioError as error:
            errors[path] = error
            continue
        sounds.append(samples)
        notes += [f"{path}: {note}" for note in messages]
    if not sounds:
        raise next(iter(errors.values()))
    if scales_groups(stored) and len(sounds) < ENOUGH:
        notes.append(
            "the model scales all recordings of a speaker together: pass "
            f"{ENOUGH} or more of the same speaker"
        )
    answers = answer_each(stored, sounds)
    if len(options.files) == 1:
        return Answer(in_figures(answers[0]), in_words(answers[0]), notes)
    readable = [path for path in options.files if path not in errors]
    predictions = dict(zip(readable, answers, strict=True))
    rows = [
        {"file": str(path)}
        | (in_figures(predictions[path]) if path in predictions else {"error": str(errors[path])})
        for path in options.files
    ]
    messages = "\n".join(f"{path}: {in_words(answer)}" for path, answer in predictions.items())
    return Answer({"files": rows}, messages, [*notes, *map(str, errors.values())])


def answer_each(stored: Stored, sounds: Sequence[np.ndarray]) -> list[Prediction]:
    """Classify sounds.

    Args:
        stored: the model.
        sounds: N sounds, (n,) float32 at the model's rate.

    Returns:
        The class of each sound, and the probabilities of all classes, the highest first.
    """
    if not sounds:
        return []
    classes = stored.description["classes"]
    probabilities = np.exp(judged(stored, features_of(stored, sounds)))
    orders = np.argsort(-probabilities, axis=-1, kind="stable").tolist()
    return [
        Prediction(
            classes[order[0]], float(row[order[0]]), {classes[i]: float(row[i]) for i in order}
        )
        for row, order in zip(probabilities, orders, strict=True)
    ]


def in_figures(answer: Prediction) -> dict[str, object]:
    """Convert a prediction to figures for JSON."""
    return {
        "label": answer.prediction,
        "probability": round(answer.probability, 4),
        "probabilities": {name: round(p, 4) for name, p in answer.probabilities.items()},
    }


def in_words(answer: Prediction) -> str:
    """Format a prediction, for example "seven, 98.1%  (then one 1.2%, five 0.4%)"."""
    runners_up = list(answer.probabilities.items())[1 : RUNNERS_UP + 1]
    then = ", ".join(f"{name} {p:.1%}" for name, p in runners_up)
    return f"{answer.prediction}, {answer.probability:.1%}  (then {then})"


def features_of(stored: Stored, sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Compute the features of sounds, scaled in the same way as the training recordings.

    Args:
        stored: the model.
        sounds: N sounds, (n,) float32 at the model's rate; if the model reads features that are
            scaled by group, the sounds are one group.

    Returns:
        N arrays (T, bands), float32.
    """
    features = [audio.log_mel(samples, mel_of(stored)) for samples in sounds]
    if scales_groups(stored):
        features = audio.scale_groups(features, [None] * len(features))
    return [scaler_of(stored)(each) for each in features]
