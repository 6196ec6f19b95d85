"""`lstm-jax predict`: what a trained classifier says of a text, or of the rows of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from lstm_jax.models import storage
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.text.lines import text_of
from lstm_jax.train.config import of_card
from lstm_jax.train.problem import Answer
from lstm_jax.train.tasks.classify.answers import PREDICTION, PROBABILITY, answer_file, write
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.judge import after_each
from lstm_jax.train.tasks.classify.readers import TextReader, restored

MOST_WORDS = 256
HALF_BAR = 20  # signs between doubt and certainty
SHOWN = 20  # rows of a file


@dataclass(frozen=True)
class ClassifyOptions:
    """What to judge, and by which model."""

    model: tyro.conf.Positional[str]
    """The folder of a run of `lstm-jax train classify` or `sentiment`, or its name in runs."""
    text: tyro.conf.Positional[str] = ""
    """A text to judge word by word; or"""
    file: Path | None = None
    """a file like the one that the model learned from, the column of the classes left out or not;
    the only way to ask of sequences of numbers."""
    out: Path | None = None
    """A CSV file to write the rows of FILE to, with what the model says of each."""
    json: bool = False
    """Print JSON."""


def classify(options: ClassifyOptions) -> Answer:
    """Judge a text, and show how the judgement moves word by word; or judge the rows of a file.

    Args:
        options: what to judge, and the model.

    Raises:
        ModelError: no such model, or a text that is empty, too long, or all unknown to it.
        DataError: a file that cannot be judged, or a place where a file stands already.
        TextError: a text that is no UTF-8.
    """
    text = text_of(options.text, "the text")
    stored = storage.load(options.model, "SequenceClassifier")
    if options.file is not None:
        if text:
            raise ModelError("give a text or a --file, not both")
        return _rows(stored, options.file, options.out)
    if options.out is not None:
        raise ModelError("--out takes the rows of a --file: give one")
    return _word_by_word(stored, text)


def _rows(stored: Stored, file: Path, out: Path | None) -> Answer:
    found = answer_file(stored, _config_of(stored), file)
    answers = found[PREDICTION]
    counts = {name: answers.count(name) for name in stored.description["classes"]}
    figures: dict[str, object] = {"file": str(file), "rows": len(answers), "predicted": counts}
    shares = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    lines = [f"{file}: {len(answers):,} judged: {shares}"]
    if out is not None:
        write(found, out)
        return Answer(figures | {"out": str(out)}, "\n".join([*lines, f"written: {out}"]), [])
    first = next(iter(found.values()))
    for name, answer, p in list(zip(first, answers, found[PROBABILITY], strict=True))[:SHOWN]:
        sure = "" if p is None else f"  {p:.1%}"
        lines.append(f"  {str(name)[:40]:40}  {answer if answer is not None else '-'}{sure}")
    if len(answers) > SHOWN:
        lines.append("  ... (--out predicted.csv writes them all)")
    return Answer(figures | {"answers": found}, "\n".join(lines), [])


def _config_of(stored: Stored) -> ClassifyConfig:
    config = of_card(ClassifyConfig, stored.card)
    if config.data != "own":
        raise ModelError("the model learned from film reviews, no file: give it a text to judge")
    return config


def _word_by_word(stored: Stored, text: str) -> Answer:
    classes, reader = stored.description["classes"], restored(stored.description)
    if not isinstance(reader, TextReader):
        raise ModelError("the model reads sequences of numbers: give them in a --file")
    words = reader.words(text)
    if not words:
        raise ModelError("the text is empty: give some words to judge, or a --file")
    if len(words) > MOST_WORDS:
        raise ModelError(
            f"the text has {len(words):,} words; at most {MOST_WORDS} are read: give it in a --file"
        )
    ids = reader.vocabulary.encode(words)
    known = ids != reader.vocabulary.unknown_id
    # Commas and full stops are words too, and say nothing.
    if not any(any(map(str.isalnum, words[i])) for i in np.flatnonzero(known)):
        raise ModelError(
            f"the model knows none of the words of {text[:60]!r}: give a text of the kind that it "
            "learned from"
        )
    found = after_each(stored, ids)
    best = int(found[-1].argmax())
    shares = {name: round(float(p), 4) for name, p in zip(classes, found[-1], strict=True)}
    rows, lines = _steps(classes, words, known.tolist(), found)
    figures: dict[str, object] = {
        "label": classes[best],
        "probability": round(float(found[-1, best]), 4),
        "probabilities": shares,
        "words": rows,
    }
    return Answer(figures, "\n".join([f"{classes[best]}, {found[-1, best]:.1%}", "", *lines]), [])


def _steps(
    classes: Sequence[str], words: Sequence[str], known: Sequence[bool], found: np.ndarray
) -> tuple[list[dict[str, Any]], list[str]]:
    """Give the judgement after each word, for JSON and in lines: of two classes a bar."""
    width, two = max(map(len, words)), len(classes) == 2
    rows: list[dict[str, Any]] = []
    lines = [f"{'':{width}}  {classes[0]:>{HALF_BAR}}|{classes[1]}"] if two else []
    for word, is_known, p in zip(words, known, found, strict=True):
        top = int(p.argmax())
        row = {"word": word, "known": is_known}
        if two:
            said = f"{bar(p[1])}  {p[1]:4.0%}"
            rows.append(row | {classes[1]: round(float(p[1]), 4)})
        else:
            said = f"{p[top]:4.0%}  {classes[top]}"
            rows.append(row | {"label": classes[top], "probability": round(float(p[top]), 4)})
        lines.append(f"{word:>{width}}  {said}" + ("" if is_known else "  (unknown)"))
    return rows, lines


def bar(probability: float) -> str:
    """Draw a probability as signs to the left and to the right of a half."""
    signs = round(abs(2 * probability - 1) * HALF_BAR)
    left, right = ("-" * signs, "") if probability < 0.5 else ("", "+" * signs)
    return f"{left:>{HALF_BAR}}|{right:<{HALF_BAR}}"
