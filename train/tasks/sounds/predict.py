"""`lstm-jax predict`: what a trained listener says of recordings."""

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
from lstm_jax.train.tasks.sounds.task import longest_of, mel_of, scaler_of

RUNNERS_UP = 2


@dataclass(frozen=True)
class SoundsOptions:
    """What to listen to, and with which model."""

    model: tyro.conf.Positional[str]
    """The folder of a run of `lstm-jax train sounds` or `train speech`."""
    files: tyro.conf.Positional[tuple[Path, ...]]
    """Sound files, such as wav, flac or ogg: one recording in each."""
    json: bool = False
    """Print JSON."""


def recognise(options: SoundsOptions) -> Answer:
    """Say of what class recordings are.

    Args:
        options: the files and the model.

    Raises:
        ModelError: no such model.
        AudioError: not one file that is a sound, or no librosa.
    """
    if not options.files:
        raise AudioError("name at least one sound file")
    stored = storage.load(options.model, "SequenceClassifier")
    sounds, notes, wrong = [], [], {}
    for path in options.files:
        try:
            samples, said = audio.read(path, mel_of(stored).rate, longest_of(stored))
        except AudioError as error:
            wrong[path] = error
            continue
        sounds.append(samples)
        notes += [f"{path}: {note}" for note in said]
    if not sounds:
        raise next(iter(wrong.values()))
    answers = answer_each(stored, sounds)
    if len(options.files) == 1:
        return Answer(in_figures(answers[0]), in_words(answers[0]), notes)
    heard = [path for path in options.files if path not in wrong]
    found = dict(zip(heard, answers, strict=True))
    rows = [
        {"file": str(path)}
        | (in_figures(found[path]) if path in found else {"error": str(wrong[path])})
        for path in options.files
    ]
    said = "\n".join(f"{path}: {in_words(answer)}" for path, answer in found.items())
    return Answer({"files": rows}, said, [*notes, *map(str, wrong.values())])


def answer_each(stored: Stored, sounds: Sequence[np.ndarray]) -> list[Prediction]:
    """Say of what class sounds are.

    Args:
        stored: the model.
        sounds: N of them, (n,) float32 at the model's rate.

    Returns:
        A class for each, and the probability of every one, the highest first.
    """
    if not sounds:
        return []
    classes = stored.description["classes"]
    found = np.exp(judged(stored, [features_of(stored, samples) for samples in sounds]))
    orders = np.argsort(-found, axis=-1, kind="stable").tolist()
    return [
        Prediction(
            classes[order[0]], float(row[order[0]]), {classes[i]: float(row[i]) for i in order}
        )
        for row, order in zip(found, orders, strict=True)
    ]


def in_figures(answer: Prediction) -> dict[str, object]:
    """Give an answer for JSON."""
    return {
        "label": answer.prediction,
        "probability": round(answer.probability, 4),
        "probabilities": {name: round(p, 4) for name, p in answer.probabilities.items()},
    }


def in_words(answer: Prediction) -> str:
    """Put an answer in words: "seven, 98.1%  (then one 1.2%, five 0.4%)"."""
    others = list(answer.probabilities.items())[1 : RUNNERS_UP + 1]
    then = ", ".join(f"{name} {p:.1%}" for name, p in others)
    return f"{answer.prediction}, {answer.probability:.1%}  (then {then})"


def features_of(stored: Stored, samples: np.ndarray) -> np.ndarray:
    """Compute what a model reads of a sound, scaled as its training recordings were.

    Args:
        stored: the model.
        samples: (n,) float32 at its rate.

    Returns:
        (T, bands), float32.
    """
    return scaler_of(stored)(audio.log_mel(samples, mel_of(stored)))
