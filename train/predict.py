"""`lstm-jax predict`: what a trained model says of one sentence, or of one recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro
from flax import nnx

from lstm_jax.models import storage as model_files
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.padding import pad
from lstm_jax.train.data import audio
from lstm_jax.train.data.audio import Scaler
from lstm_jax.train.data.sentiment import words_of
from lstm_jax.train.tasks.classify import log_probabilities, make_reader, widths_of

MOST_WORDS = 256
HALF_BAR = 20  # signs between doubt and certainty
RUNNERS_UP = 2


class Answer(NamedTuple):
    """`figures` for JSON, what is `said` to a person, and `notes` for stderr."""

    figures: dict[str, Any]
    said: str
    notes: list[str]


@dataclass(frozen=True)
class SentimentOptions:
    """What to judge, and by which model."""

    sentence: tyro.conf.Positional[str]
    """An English sentence."""
    model: str = "runs/sentiment"
    """The folder of a run of `lstm-jax train sentiment`."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class SpeechOptions:
    """What to listen to, and with which model."""

    file: tyro.conf.Positional[Path]
    """A wav file with one spoken digit."""
    model: str = "runs/speech"
    """The folder of a run of `lstm-jax train speech`."""
    json: bool = False
    """Print JSON."""


def load(folder: str, data: str) -> Stored:
    """The classifier in a run's folder that learned from `data`, the recipe's name.

    Raises:
        ModelError: there is none, or one that learned something else.
    """
    try:
        stored = model_files.load(folder, "SequenceClassifier")
    except ModelError as error:
        raise ModelError(f"{error}; `lstm-jax train {data}` trains one") from None
    if stored.card.get("data") != data:
        raise ModelError(
            f"the model in {folder} learned from {stored.card.get('data')!r}, not from {data}: "
            "give another --model"
        )
    return stored


def sentiment(options: SentimentOptions) -> Answer:
    """Judge a sentence, and show how the judgement moves word by word."""
    words = words_of(options.sentence)
    if not words:
        raise ModelError("the sentence is empty: give some words to judge")
    if len(words) > MOST_WORDS:
        raise ModelError(f"the sentence has {len(words):,} words; at most {MOST_WORDS} are read")
    stored = load(options.model, "sentiment")
    classes = stored.description["classes"]
    vocabulary = Vocabulary(tuple(stored.description["vocabulary"]))
    ids = vocabulary.encode(words)
    known = ids != vocabulary.unknown_id
    # Commas and full stops are words too, and say nothing.
    if not any(any(map(str.isalnum, words[i])) for i in np.flatnonzero(known)):
        raise ModelError(
            f"the model knows none of the words of {options.sentence[:60]!r}: it learned from "
            "English film reviews"
        )
    found = after_each(stored, ids)
    best = int(found[-1].argmax())
    read = list(zip(words, known.tolist(), found[:, 1].tolist(), strict=True))
    figures = {
        "label": classes[best],
        "probability": round(float(found[-1, best]), 4),
        "words": [
            {"word": word, "known": is_known, classes[1]: round(p, 4)} for word, is_known, p in read
        ],
    }
    width = max(len(word) for word in words)
    lines = [f"{classes[best]}, {found[-1, best]:.1%}", ""]
    lines += [f"{'':{width}}  {classes[0]:>{HALF_BAR}}|{classes[1]}"]
    lines += [
        f"{word:>{width}}  {bar(p)}  {p:4.0%}" + ("" if is_known else "  (unknown)")
        for word, is_known, p in read
    ]
    return Answer(figures, "\n".join(lines), [])


def after_each(stored: Stored, sequence: np.ndarray) -> np.ndarray:
    """Probabilities of the classes after each step of a sequence, (T, C).

    A bidirectional model reads what there is so far from both ends, so each row is a reading of
    its own: one batch of all beginnings.
    """
    beginnings = [sequence[: step + 1] for step in range(len(sequence))]
    inputs, lengths = pad(beginnings, to=widths_of(len(sequence))[-1])
    read = make_reader(stored.network)
    return np.exp(np.asarray(read(nnx.state(stored.network, nnx.Param), inputs, lengths)))


def bar(probability: float) -> str:
    """A probability as signs to the left and to the right of a half."""
    signs = round(abs(2 * probability - 1) * HALF_BAR)
    left, right = ("-" * signs, "") if probability < 0.5 else ("", "+" * signs)
    return f"{left:>{HALF_BAR}}|{right:<{HALF_BAR}}"


def speech(options: SpeechOptions) -> Answer:
    """Recognise a spoken digit."""
    samples, notes = audio.read(options.file)
    stored = load(options.model, "speech")
    classes = stored.description["classes"]
    features = [features_of(stored, samples)]
    read, params = make_reader(stored.network), nnx.state(stored.network, nnx.Param)
    [probabilities] = np.exp(log_probabilities(read, params, features))
    order = np.argsort(-probabilities, kind="stable").tolist()
    figures = {
        "digit": classes[order[0]],
        "probability": round(float(probabilities[order[0]]), 4),
        "probabilities": {classes[i]: round(float(probabilities[i]), 4) for i in order},
    }
    next_ones = ", ".join(f"{classes[i]} {probabilities[i]:.1%}" for i in order[1 : RUNNERS_UP + 1])
    said = f"{classes[order[0]]}, {probabilities[order[0]]:.1%}  (then {next_ones})"
    return Answer(figures, said, [f"{options.file}: {note}" for note in notes])


def features_of(stored: Stored, samples: np.ndarray) -> np.ndarray:
    """What a speech model reads of a sound, scaled as its training recordings were."""
    scaler = Scaler(stored.description["mean"], stored.description["scale"])
    return scaler(audio.log_mel(samples))


PREDICTORS: dict[str, tuple[Any, Callable[[Any], Answer]]] = {
    "sentiment": (SentimentOptions, sentiment),
    "speech": (SpeechOptions, speech),
}
"""What can be asked -> its options, and what answers."""
