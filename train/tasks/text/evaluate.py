"""Evaluation of a language model: its perplexity on texts."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.progress import track

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.lines import read_lines
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.text.beside import beside_ngrams
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.dynamic import score_dynamic
from lstm_jax.train.tasks.text.score import score_texts
from lstm_jax.train.tasks.text.task import LOADERS, load_texts


def perplexity(stored: Stored, config: TextConfig, scope: Scope) -> Told:
    """Evaluate a language model on the data that its card names, or on a file.

    Args:
        stored: the model.
        config: configuration of its run, which says how to read a user's own texts.
        scope: the split or the file, and the rows of a batch.

    Raises:
        ModelError: if the card does not name data of this package, the data do not have the split,
            or dynamic evaluation is requested for separate texts.
        DataError: if data are missing or altered.
        UserError: if the file has no text.
    """
    model = LanguageModel.of(stored)
    errors = Console(stderr=True)

    def progress(indices: Iterable[int]) -> Iterable[int]:
        hidden = not errors.is_terminal
        return track(indices, "reading", console=errors, transient=True, disable=hidden)

    if model.card.get("data") == "own":
        return beside_ngrams(model, config, scope, progress)
    texts, name = texts_of(model.card.get("data"), scope)
    training_texts = _learned(model.card.get("data"), scope) if scope.dynamic else None
    score = score_texts(model, texts, rows=scope.rows, progress=progress)
    figures: dict[str, object] = {
        "on": name,
        "texts": len(texts),
        "symbols": score.symbols,
        "unknown": score.unknown,
        "nats_per_symbol": score.nats_per_symbol,
        "perplexity": score.perplexity,
    }
    summary = (
        f"{name}: perplexity {score.perplexity:.2f} ({score.nats_per_symbol:.4f} nats per "
        f"symbol) over {score.symbols:,} symbols of {len(texts):,} texts"
    )
    unknown = f", {score.unknown:,} of them unknown characters" if score.unknown else ""
    if training_texts is None:
        return figures, summary + unknown
    dynamic = score_dynamic(model, texts, training_texts, progress=progress)
    figures["dynamic"] = {
        "nats_per_symbol": dynamic.nats_per_symbol,
        "perplexity": dynamic.perplexity,
    }
    dynamic_summary = (
        f"with dynamic evaluation: perplexity {dynamic.perplexity:.2f} "
        f"({dynamic.nats_per_symbol:.4f} nats per symbol)"
    )
    return figures, f"{summary}{unknown}\n{dynamic_summary}"


def _learned(data: object, scope: Scope) -> tuple[str, ...]:
    """Return the training texts of a continuous text; raise an error for separate texts."""
    if scope.file is not None:
        raise ModelError(
            f"--dynamic applies to continuous text, but each line of {scope.file} is a text of its "
            "own: leave out one of them"
        )
    loaded = load_texts(str(data))
    if not loaded.running:
        raise ModelError(
            f"--dynamic applies to continuous text, but each text of {data} is read from the empty "
            "state: leave it out"
        )
    return loaded.splits["train"]


def texts_of(data: object, scope: Scope) -> tuple[tuple[str, ...], str]:
    """Return the texts to evaluate on, and their name.

    Args:
        data: name of the model's data, from its card.
        scope: the split, or the file.

    Raises:
        ModelError: if the name is not a data set, or the data do not have the split.
        DataError: if data are missing or altered.
        UserError: if the file has no text.
    """
    if scope.file is not None:
        return tuple(read_lines(scope.file)), str(scope.file)
    if not isinstance(data, str) or data not in LOADERS:
        raise ModelError(
            f"the model's card must name data of this package, got {data!r}: use --file for texts"
        )
    splits = load_texts(data).splits
    if scope.split not in splits:
        names = " or ".join(splits)
        raise ModelError(f"{data} has no {scope.split} split; --split must be {names}")
    return splits[scope.split], f"{data} {scope.split}"
