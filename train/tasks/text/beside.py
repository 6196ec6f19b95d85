"""A language model of a user's own texts, beside n-grams that were counted on the same ones."""

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
"""The baselines: modified Kneser-Ney, interpolated."""
DYNAMIC = "dynamic"
"""The model again, which goes on learning from what it is judged on."""


class Judged(NamedTuple):
    """Hold the texts to judge by, what to call them, and those to count n-grams on.

    `trained` is None where the texts that the model learned from are not at hand, or too many.
    """

    texts: Sequence[str]
    what: str
    trained: Sequence[str] | None


def beside_ngrams(
    model: LanguageModel, config: TextConfig, scope: Scope, progress: Progress = silent
) -> Told:
    """Measure a model of a user's own texts, and n-grams beside it.

    Args:
        model: what was trained.
        config: of its run.
        scope: the split, or another file; and the rows.
        progress: may show how far it is.

    Raises:
        ModelError: a split that was not held out, or dynamic evaluation of texts that do not run
            on, or without those that the model learned from.
        DataError, TextFileError: texts that are missing, altered or none.
    """
    judged = _judged(config, scope)
    running = bool(model.card.get("running"))
    learned = _learned(judged, running) if scope.dynamic else None
    score = score_texts(model, judged.texts, rows=scope.rows, running=running, progress=progress)
    characters = sum(map(len, judged.texts))
    nats = {"the model": score.nats_per_symbol}
    if learned is not None:
        going_on = score_dynamic(model, judged.texts, learned, progress=progress)
        nats[DYNAMIC] = going_on.nats_per_symbol
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
        "on": judged.what,
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
    said = [
        f"{judged.what}: {score.symbols:,} {plural}{'' if running else ' and ends'} of "
        f"{len(judged.texts):,} text{'s' if len(judged.texts) > 1 else ''}",
        f"{'':10} {'nats':>9} {'perplexity':>11} {'bits a character':>17}",
        *(_line(name, row) for name, row in rows.items()),
        _verdict(nats, "larger than memory" if config.stream else "not at hand"),
    ]
    if score.unknown:
        said.append(
            f"{score.unknown:,} of the {plural} are not known to the model: they count as one "
            "symbol, whose letters cost nothing, which flatters its bits beside another unit's"
        )
    return figures, "\n".join(said)


def _judged(config: TextConfig, scope: Scope) -> Judged:
    if scope.file is None:
        texts = own_texts(config, scope.given)
        if scope.split not in texts.splits:
            names = " or ".join(texts.splits)
            raise ModelError(f"the run held out no {scope.split} split; --split is {names}")
        return Judged(texts.splits[scope.split], f"own {scope.split}", texts.splits.get("train"))
    others = read_others(config, scope.file)
    if config.stream:
        return Judged(others, str(scope.file), None)
    try:
        own = own_texts(config, scope.given)
    except UserError:
        return Judged(others, str(scope.file), None)
    return Judged(others, str(scope.file), own.splits["train"])


def _learned(judged: Judged, running: bool) -> Sequence[str]:
    """Give what the model learned from; refuse where dynamic evaluation cannot be."""
    if not running:
        raise ModelError(
            "--dynamic is for running text, and each of these texts is read from the empty state: "
            "leave it out"
        )
    if judged.trained is None:
        raise ModelError(
            "--dynamic measures gradients on the texts that the model learned from, and they are "
            "not at hand: restore them, or leave it out"
        )
    return judged.trained


def _line(name: str, row: dict[str, float]) -> str:
    return (
        f"{name:10} {row['nats_per_symbol']:9.4f} {row['perplexity']:11.2f} "
        f"{row['bits_per_character']:17.3f}"
    )


def _verdict(nats: dict[str, float], why: str) -> str:
    """Say in words whether the model is better than counting, or why there is none to compare."""
    model, others = nats["the model"], {n: v for n, v in nats.items() if n in ORDERS}
    if not others:
        return f"the texts that it learned from are {why}, and so no n-grams are beside it"
    best = min(others, key=lambda name: others[name])
    if model < others[best]:
        return f"the model is better than the {best}, by {others[best] - model:.4f} nats"
    return (
        f"the model loses to the {best}, by {model - others[best]:.4f} nats: it predicts these "
        "texts no better than counting does"
    )
