"""Six questions to a trained character model, asked while it reads real texts.

    adjoints     how much does the loss of a character feel each past state?
    jacobians    what do the steps do to a perturbation, one by one and multiplied?
    lyapunov     chaotic, contracting, or on the edge?
    roads        which road does the gradient take, cell or hidden state?
    gates        what do the gates do?
    context      how long does it remember?

`diagnose` puts them, through `lstm_jax.diagnostics`, and answers in one dictionary that can be
written as JSON: natural logarithms are named ln_..., and None stands where a figure does not
exist or a logarithm is of zero. `lstm_jax.report.page` draws it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import numpy as np

from lstm_jax.report.questions import QUESTIONS
from lstm_jax.report.reading import Settings, check, make_streams, read, recurrence
from lstm_jax.text.language import LanguageModel

FORMAT = 1


def diagnose(
    model: LanguageModel,
    texts: Sequence[str],
    settings: Settings | None = None,
    *,
    doing: Callable[[str], AbstractContextManager[Any]] | None = None,
) -> dict[str, Any]:
    """Ask the six questions of a model on these texts.

    Args:
        model: a `CharLM` with its vocabulary.
        texts: each read from the empty state; those shorter than `settings.steps` are joined.
        settings: how much is read.
        doing: called with a question's name, and entered while it is answered.

    Returns:
        Plain dictionaries, lists and numbers: `model`, `settings`, `texts`, one entry for each
        name of `QUESTIONS`, and `seconds`.

    Raises:
        ReportError: texts that are too few, too short or not in the model's characters, or
            settings that do not fit one another.
    """
    settings = settings or Settings()
    doing = doing or (lambda name: contextlib.nullcontext())
    check(settings)
    streams = make_streams(model.vocabulary, texts, settings)
    results: dict[str, Any] = {"format": FORMAT, "kind": "diagnosis", "model": _facts(model)}
    seconds = {}
    with doing("reading"):
        reading = read(recurrence(model.network), streams, settings)
        results["settings"] = asdict(settings)
        results["texts"] = {
            "notes": streams.notes,
            "symbols": streams.symbols,
            "nats": reading.nats.T,
            "perplexity": np.exp(reading.nats.mean()),
        }
    for name, ask in QUESTIONS.items():
        # What a logarithm of zero gives is None in the end.
        with doing(name), np.errstate(divide="ignore", invalid="ignore"):
            began = time.perf_counter()
            results[name] = ask(reading)
            seconds[name] = time.perf_counter() - began
    return plain({**results, "seconds": seconds})


def _facts(model: LanguageModel) -> dict[str, Any]:
    config = model.network.config
    return {
        "data": model.card.get("data"),
        "vocabulary": len(model.vocabulary),
        "embedding_features": config.embedding_features,
        "hidden_features": config.hidden_features,
        "num_layers": config.num_layers,
        "state_size": 2 * config.num_layers * config.hidden_features,
    }


def plain(tree: Any) -> Any:
    """The same in what JSON holds: numbers to six digits, None for those that are not finite."""
    if isinstance(tree, dict):
        return {str(key): plain(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [plain(value) for value in tree]
    if hasattr(tree, "tolist"):
        return plain(tree.tolist())
    if isinstance(tree, float):
        return float(f"{tree:.6g}") if np.isfinite(tree) else None
    return tree
