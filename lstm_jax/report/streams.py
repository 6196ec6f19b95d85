"""Conversion of texts to rows of equal length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.report.reading import ReportError, Settings, Streams

MAX_UNKNOWN = 0.2  # share of the characters; beyond it, the text does not suit the model


def make_streams(
    vocabulary: Vocabulary, texts: Sequence[Sequence[str]], settings: Settings
) -> Streams:
    """Turn texts into rows of `settings.steps` symbols to predict; the end of a text is a symbol.

    A longer text is cut. Shorter texts are joined, each followed by its end, and the state is
    carried from one to the next.

    Args:
        vocabulary: of the model.
        texts: strings, or sequences of words.
        settings: `steps` of a row, and at most `streams` rows.

    Returns:
        The rows, and notes on how they were made.

    Raises:
        ReportError: if no row can be filled, or the model does not know the characters.
    """
    characters = sum(len(text) for text in texts)
    unknown = sum(int((vocabulary.encode(t) == vocabulary.unknown_id).sum()) for t in texts)
    if unknown > MAX_UNKNOWN * characters:
        raise ReportError(
            f"the model does not know {unknown:,} of the {characters:,} characters; use texts like "
            "those that it was trained on"
        )
    rows, row, joined, cut = [], [], 0, 0
    for text in texts:
        if len(rows) == settings.streams:
            break
        joined += bool(row)
        row += [*text, ""]
        if len(row) >= settings.steps:
            cut += len(row) > settings.steps
            rows.append(row[: settings.steps])
            row = []
    if not rows:
        raise ReportError(
            f"the texts must have at least {settings.steps} symbols, ends included, got "
            f"{len(row):,}; add more text"
        )
    notes = [f"{len(rows)} rows of {settings.steps} symbols, from {len(texts):,} texts"]
    if joined:
        notes.append(
            f"{joined:,} texts were joined to the one before, with an end between them; the state "
            "is carried over, which may never have happened in training"
        )
    if cut:
        notes.append(f"{cut:,} rows were cut to {settings.steps} symbols")
    if unknown:
        notes.append(f"{unknown:,} of the characters are unknown to the model and read as such")
    inputs = np.stack([encode(vocabulary, ["", *row[:-1]]) for row in rows])
    targets = np.stack([encode(vocabulary, row) for row in rows])
    return Streams(inputs, targets, rows, notes)


def encode(vocabulary: Vocabulary, symbols: Sequence[str]) -> np.ndarray:
    """Encode symbols as ids, int32 (T,), where "" is the end of a text."""
    ids = [vocabulary.encode([s])[0] if s else vocabulary.end_id for s in symbols]
    return np.array(ids, np.int32)
