"""`lstm-jax predict`: the class of a text, or of the rows of a file, by a trained classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from lstm_jax.models import storage
from lstm_jax.models.bags import SpelledVocabulary
from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.text.lines import text_of
from lstm_jax.train.config import of_card
from lstm_jax.train.problem import Answer
from lstm_jax.train.tasks.classify.answers import PREDICTION, PROBABILITY, answer_file, write
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.judge import after_each
from lstm_jax.train.tasks.classify.readers import TextReader, restored

MOST_WORDS = 256
HALF_BAR = 20  # characters between 50% and certainty
SHOWN = 20  # rows of a file that are printed


@dataclass(frozen=True)
class ClassifyOptions:
    """Configure what to classify, and with which model."""

    model: tyro.conf.Positional[str]
    """Folder of a run of `lstm-jax train classify` or `sentiment`, or its name in runs."""
    text: tyro.conf.Positional[str] = ""
    """Text to classify, word by word."""
    file: Path | None = None
    """File to classify, like the training file; the column of classes may be missing.
    Sequences of numbers can only be read from a file."""
    out: Path | None = None
    """CSV file to write the rows of FILE to, with their predictions."""
    json: bool = False
    """Print JSON."""


def classify(options: ClassifyOptions) -> Answer:
    """Classify a text, with the prediction after each word, or the rows of a file.

    Args:
        options: the text or the file, and the model.

    Raises:
        ModelError: if there is no such model, or the text is empty, too long, or unknown to it.
        DataError: if a file cannot be classified, or the file to write exists already.
        TextError: if the text is not UTF-8.
    """
    text = text_of(options.text, "the text")
    stored = storage.load(options.model, "SequenceClassifier")
    if options.file is not None:
        if text:
            raise ModelError("a text and a --file cannot be combined: use one of them")
        return _rows(stored, options.file, options.out)
    if options.out is not None:
        raise ModelError("--out needs a --file, whose rows it writes")
    return _word_by_word(stored, text)


def _rows(stored: Stored, file: Path, out: Path | None) -> Answer:
    columns = answer_file(stored, _config_of(stored), file)
    answers = columns[PREDICTION]
    counts = {name: answers.count(name) for name in stored.description["classes"]}
    figures: dict[str, object] = {"file": str(file), "rows": len(answers), "predicted": counts}
    shares = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    lines = [f"{file}: classified {len(answers):,} rows: {shares}"]
    if out is not None:
        write(columns, out)
        return Answer(figures | {"out": str(out)}, "\n".join([*lines, f"saved to {out}"]), [])
    first = next(iter(columns.values()))
    for name, answer, p in list(zip(first, answers, columns[PROBABILITY], strict=True))[:SHOWN]:
        certainty = "" if p is None else f"  {p:.1%}"
        lines.append(f"  {str(name)[:40]:40}  {answer if answer is not None else '-'}{certainty}")
    if len(answers) > SHOWN:
        lines.append("  ... (--out predicted.csv writes all rows)")
    return Answer(figures | {"answers": columns}, "\n".join(lines), [])


def _config_of(stored: Stored) -> ClassifyConfig:
    config = of_card(ClassifyConfig, stored.card)
    if config.data != "own":
        raise ModelError("the model of film reviews does not read files: give it a text")
    return config


def _word_by_word(stored: Stored, text: str) -> Answer:
    classes, reader = stored.description["classes"], restored(stored.description)
    if not isinstance(reader, TextReader):
        raise ModelError("the model reads sequences of numbers, not a text: use --file")
    words = reader.words(text)
    if not words:
        raise ModelError("the text is empty: give it some words, or use --file")
    if len(words) > MOST_WORDS:
        raise ModelError(
            f"the text must have at most {MOST_WORDS} words, got {len(words):,}: use --file for "
            "longer texts"
        )
    known = reader.vocabulary.known(words)
    readable = known | isinstance(reader.vocabulary, SpelledVocabulary)
    # Commas and periods are words too, but meaningless.
    if not any(any(map(str.isalnum, words[i])) for i in np.flatnonzero(readable)):
        raise ModelError(
            f"the model knows none of the words of {text[:60]!r}: use a text like those that it "
            "was trained on"
        )
    probabilities = after_each(stored, reader.vocabulary.encode(words))
    best = int(probabilities[-1].argmax())
    shares = {name: round(float(p), 4) for name, p in zip(classes, probabilities[-1], strict=True)}
    rows, lines = _steps(classes, words, known.tolist(), probabilities)
    figures: dict[str, object] = {
        "label": classes[best],
        "probability": round(float(probabilities[-1, best]), 4),
        "probabilities": shares,
        "words": rows,
    }
    return Answer(
        figures, "\n".join([f"{classes[best]}, {probabilities[-1, best]:.1%}", "", *lines]), []
    )


def _steps(
    classes: Sequence[str], words: Sequence[str], known: Sequence[bool], probabilities: np.ndarray
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the prediction after each word, for JSON and as lines, with a bar for two classes."""
    width, binary = max(map(len, words)), len(classes) == 2
    rows: list[dict[str, Any]] = []
    lines = [f"{'':{width}}  {classes[0]:>{HALF_BAR}}|{classes[1]}"] if binary else []
    for word, is_known, p in zip(words, known, probabilities, strict=True):
        top = int(p.argmax())
        row = {"word": word, "known": is_known}
        if binary:
            text = f"{bar(p[1])}  {p[1]:4.0%}"
            rows.append(row | {classes[1]: round(float(p[1]), 4)})
        else:
            text = f"{p[top]:4.0%}  {classes[top]}"
            rows.append(row | {"label": classes[top], "probability": round(float(p[top]), 4)})
        lines.append(f"{word:>{width}}  {text}" + ("" if is_known else "  (unknown)"))
    return rows, lines


def bar(probability: float) -> str:
    """Draw a probability as a bar to the left or to the right of a half."""
    signs = round(abs(2 * probability - 1) * HALF_BAR)
    left, right = ("-" * signs, "") if probability < 0.5 else ("", "+" * signs)
    return f"{left:>{HALF_BAR}}|{right:<{HALF_BAR}}"
