"""Comparison of a language model of a user's own texts with n-grams of the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from lstm_jax.errors import UserError
from lstm_jax.models.storage import ModelError
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.units import UNITS
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.dynamic import score_dynamic
from lstm_jax.train.tasks.text.ngram import mean_nats
from lstm_jax.train.tasks.text.own import read_others
from lstm_jax.train.tasks.text.score import Progress, score_texts, silent
from lstm_jax.train.tasks.text.stream import own_texts

ORDERS = {"5-gram": 5, "unigram": 1}
"""Baselines: interpolated modified Kneser-Ney."""
DYNAMIC = "dynamic"
"""Name of the model that keeps learning from the texts on which it is evaluated."""


class Judged(NamedTuple):
    """Store the texts to evaluate on, their name, and the texts to count n-grams on.

    `trained` is None if the training texts are not available, or too large.
    """

    texts: Sequence[str]
    name: str
    trained: Sequence[str] | None


def beside_ngrams(
    model: LanguageModel, config: TextConfig, scope: Scope, progress: Progress = silent
) -> Told:
    """Evaluate a model of a user's own texts, and n-grams beside it.

    Args:
        model: the trained model.
        config: configuration of its run.
        scope: the split or another file, and the rows of a batch.
        progress: wraps the windows, for example in a progress bar.

    Raises:
        ModelError: if the split was not held out, or dynamic evaluation is requested for separate
            texts, or without the training texts.
        DataError, TextFileError: if texts are missing, altered or empty.
    """
    judged = _judged(config, scope)
    running = bool(model.card.get("running"))
    training_texts = _learned(judged, running) if scope.dynamic else None
    score = score_texts(model, judged.texts, rows=scope.rows, running=running, progress=progress)
    characters = sum(map(len, judged.texts))
    nats = {"the model": score.nats_per_symbol}
    if training_texts is not None:
        dynamic = score_dynamic(model, judged.texts, training_texts, progress=progress)
        nats[DYNAMIC] = dynamic.nats_per_symbol
    if judged.trained is not None:
        trained, held_out = (
            [model.encode(text) for text in texts] for texts in (judged.trained, judged.texts)
        )
        size, end_id = len(model.vocabulary), model.vocabulary.end_id
        for name, order in ORDERS.items():
            nats[name] = mean_nats(
                trained, held_out, size=size, end_id=end_id, ends=not running, order=order
            )
    rows = {
        name: {
            "nats_per_symbol": mean,
            "perplexity": replace(score, nats=mean * score.symbols).perplexity,
            "bits_per_character": replace(score, nats=mean * score.symbols).bits_per(characters),
        }
        for name, mean in nats.items()
    }
    figures: dict[str, object] = {
        "on": judged.name,
        "unit": model.unit,
        "texts": len(judged.texts),
        "symbols": score.symbols,
        "characters": characters,
        "unknown": score.unknown,
        **rows["the model"],
        **({DYNAMIC: rows[DYNAMIC]} if DYNAMIC in rows else {}),
        "baselines": {name: row for name, row in rows.items() if name in ORDERS},
    }
    plural = UNITS[model.unit].plural
    lines = [
        f"{judged.name}: {score.symbols:,} {plural}{'' if running else ' and ends'} of "
        f"{len(judged.texts):,} text{'s' if len(judged.texts) > 1 else ''}",
        f"{'':10} {'nats':>9} {'perplexity':>11} {'bits per character':>19}",
        *(_line(name, row) for name, row in rows.items()),
        _verdict(nats, "larger than memory" if config.stream else "not available"),
    ]
    if score.unknown:
        lines.append(
            f"{score.unknown:,} of the {plural} are not known to the model: they count as one "
            "symbol, which makes its bits look better than those of a model of other units"
        )
    return figures, "\n".join(lines)


def _judged(config: TextConfig, scope: Scope) -> Judged:
    if scope.file is None:
        texts = own_texts(config, scope.given)
        if scope.split not in texts.splits:
            names = " or ".join(texts.splits)
            raise ModelError(f"the run has no {scope.split} split; --split must be {names}")
        return Judged(texts.splits[scope.split], f"own {scope.split}", texts.splits.get("train"))
    texts_of_file = read_others(config, scope.file)
    if config.stream:
        return Judged(texts_of_file, str(scope.file), None)
    try:
        training = own_texts(config, scope.given)
    except UserError:
        return Judged(texts_of_file, str(scope.file), None)
    return Judged(texts_of_file, str(scope.file), training.splits["train"])


def _learned(judged: Judged, running: bool) -> Sequence[str]:
    """Return the training texts; raise an error if dynamic evaluation is impossible."""
    if not running:
        raise ModelError(
            "--dynamic applies to continuous text, but each of these texts is read from the empty "
            "state: leave it out"
        )
    if judged.trained is None:
        raise ModelError(
            "--dynamic measures gradients on the training texts, which are not available: restore "
            "them, or leave it out"
        )
    return judged.trained


def _line(name: str, row: dict[str, float]) -> str:
    return (
        f"{name:10} {row['nats_per_symbol']:9.4f} {row['perplexity']:11.2f} "
        f"{row['bits_per_character']:19.3f}"
    )


def _verdict(nats: dict[str, float], why: str) -> str:
    """Report whether the model is better than n-grams, or why there is nothing to compare."""
    model, baselines = nats["the model"], {n: v for n, v in nats.items() if n in ORDERS}
    if not baselines:
        return f"there are no n-grams to compare with, because the training texts are {why}"
    best = min(baselines, key=lambda name: baselines[name])
    if model < baselines[best]:
        return f"the model is better than the {best}, by {baselines[best] - model:.4f} nats"
    return (
        f"the model is worse than the {best}, by {model - baselines[best]:.4f} nats: it predicts "
        "these texts no better than counting n-grams does"
    )
