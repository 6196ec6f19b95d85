"""Evaluation of a language model: its perplexity on texts."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.progress import track

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.lines import read_lines, read_text
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.text.beside import beside_ngrams
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.dynamic import score_dynamic
from lstm_jax.train.tasks.text.score import score_texts
from lstm_jax.train.tasks.text.task import LOADERS, RUNNING, load_texts


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
    data = model.card.get("data")
    running = data in list(RUNNING)
    texts, name = texts_of(data, scope, running=running)
    training_texts = _learned(data, running) if scope.dynamic else None
    score = score_texts(model, texts, rows=scope.rows, running=running, progress=progress)
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


def _learned(data: object, running: bool) -> tuple[str, ...]:
    """Return the training texts of a continuous text; raise an error for separate texts."""
    if not running:
        raise ModelError(
            f"--dynamic applies to continuous text, but each text of {data} is read from the empty "
            "state: leave it out"
        )
    return load_texts(str(data)).splits["train"]


def texts_of(data: object, scope: Scope, *, running: bool) -> tuple[tuple[str, ...], str]:
    """Return the texts to evaluate on, and their name.

    Args:
        data: name of the model's data, from its card.
        scope: the split, or the file.
        running: whether a file is one continuous text, instead of one text in each line.

    Raises:
        ModelError: if the name is not a data set, or the data do not have the split.
        DataError: if data are missing or altered.
        UserError: if the file has no text.
    """
    if scope.file is not None:
        whole = read_text(scope.file)[1] if running else ""
        # Lines, of which there must be one, also where the whole is blank.
        return (whole,) if whole.strip() else read_lines(scope.file), str(scope.file)
    if not isinstance(data, str) or data not in LOADERS:
        raise ModelError(
            f"the model's card must name data of this package, got {data!r}: use --file for texts"
        )
    splits = load_texts(data).splits
    if scope.split not in splits:
        names = " or ".join(splits)
        raise ModelError(f"{data} has no {scope.split} split; --split must be {names}")
    return splits[scope.split], f"{data} {scope.split}"
