"""`lstm-jax predict sentiment`: what a trained model says of one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tyro

from lstm_jax.models.storage import ModelError
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.lines import text_of
from lstm_jax.train.data.sentiment import words_of
from lstm_jax.train.problem import Answer
from lstm_jax.train.tasks.classify.predict import after_each, load

MOST_WORDS = 256
HALF_BAR = 20  # signs between doubt and certainty


@dataclass(frozen=True)
class SentimentOptions:
    """What to judge, and by which model."""

    model: tyro.conf.Positional[str]
    """The folder of a run of `lstm-jax train sentiment`."""
    sentence: tyro.conf.Positional[str]
    """An English sentence."""
    json: bool = False
    """Print JSON."""


def judge_sentence(options: SentimentOptions) -> Answer:
    """Judge a sentence, and show how the judgement moves word by word.

    Args:
        options: the sentence and the model.

    Raises:
        ModelError: no such model, or a sentence that is empty, too long, or all unknown to it.
        TextError: a sentence that is no UTF-8.
    """
    sentence = text_of(options.sentence, "the sentence")
    words = words_of(sentence)
    if not words:
        raise ModelError("the sentence is empty: give some words to judge")
    if len(words) > MOST_WORDS:
        raise ModelError(f"the sentence has {len(words):,} words; at most {MOST_WORDS} are read")
    stored = load(options.model, "sentiment")
    classes = stored.description["classes"]
    vocabulary = Vocabulary.restored(stored.description["vocabulary"])
    ids = vocabulary.encode(words)
    known = ids != vocabulary.unknown_id
    # Commas and full stops are words too, and say nothing.
    if not any(any(map(str.isalnum, words[i])) for i in np.flatnonzero(known)):
        raise ModelError(
            f"the model knows none of the words of {sentence[:60]!r}: it learned from "
            "English film reviews"
        )
    found = after_each(stored, ids)
    best = int(found[-1].argmax())
    read = list(zip(words, known.tolist(), found[:, 1].tolist(), strict=True))
    figures: dict[str, object] = {
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


def bar(probability: float) -> str:
    """Draw a probability as signs to the left and to the right of a half."""
    signs = round(abs(2 * probability - 1) * HALF_BAR)
    left, right = ("-" * signs, "") if probability < 0.5 else ("", "+" * signs)
    return f"{left:>{HALF_BAR}}|{right:<{HALF_BAR}}"
