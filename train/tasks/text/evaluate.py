"""What a language model is worth: its perplexity on texts."""

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
    """Measure a language model on the texts of its card's data, or of a file.

    Args:
        stored: the model.
        config: of its run, which says how to read texts of a user's own.
        scope: the split, or the file; and the rows.

    Raises:
        ModelError: a card that names no data of this package, a split that the data has not, or
            dynamic evaluation of texts that do not run on.
        DataError: data that is missing or altered.
        UserError: a file that holds no text.
    """
    model = LanguageModel.of(stored)
    errors = Console(stderr=True)

    def progress(indices: Iterable[int]) -> Iterable[int]:
        hidden = not errors.is_terminal
        return track(indices, "reading", console=errors, transient=True, disable=hidden)

    if model.card.get("data") == "own":
        return beside_ngrams(model, config, scope, progress)
    texts, what = texts_of(model.card.get("data"), scope)
    learned = _learned(model.card.get("data"), scope) if scope.dynamic else None
    score = score_texts(model, texts, rows=scope.rows, progress=progress)
    figures: dict[str, object] = {
        "on": what,
        "texts": len(texts),
        "symbols": score.symbols,
        "unknown": score.unknown,
        "nats_per_symbol": score.nats_per_symbol,
        "perplexity": score.perplexity,
    }
    said = (
        f"{what}: perplexity {score.perplexity:.2f} ({score.nats_per_symbol:.4f} nats a "
        f"symbol) over {score.symbols:,} symbols of {len(texts):,} texts"
    )
    unknown = f", {score.unknown:,} of them unknown characters" if score.unknown else ""
    if learned is None:
        return figures, said + unknown
    going_on = score_dynamic(model, texts, learned, progress=progress)
    figures["dynamic"] = {
        "nats_per_symbol": going_on.nats_per_symbol,
        "perplexity": going_on.perplexity,
    }
    more = (
        f"going on to learn from it: perplexity {going_on.perplexity:.2f} "
        f"({going_on.nats_per_symbol:.4f} nats a symbol)"
    )
    return figures, f"{said}{unknown}\n{more}"


def _learned(data: object, scope: Scope) -> tuple[str, ...]:
    """Give the training texts of a set that runs on; refuse where nothing runs on."""
    if scope.file is not None:
        raise ModelError(
            f"--dynamic is for running text, and each line of {scope.file} is a text of its own: "
            "leave one of them out"
        )
    loaded = load_texts(str(data))
    if not loaded.running:
        raise ModelError(
            f"--dynamic is for running text, and each text of {data} is read from the empty state: "
            "leave it out"
        )
    return loaded.splits["train"]


def texts_of(data: object, scope: Scope) -> tuple[tuple[str, ...], str]:
    """Find the texts to judge by, and what to call them.

    Args:
        data: the name of the model's data, as its card has it.
        scope: the split, or the file.

    Raises:
        ModelError: a name that is none, or a split that the data has not.
        DataError: data that is missing or altered.
        UserError: a file that holds no text.
    """
    if scope.file is not None:
        return tuple(read_lines(scope.file)), str(scope.file)
    if not isinstance(data, str) or data not in LOADERS:
        raise ModelError(
            f"the model's card names no data of this package, got {data!r}: give texts with --file"
        )
    splits = load_texts(data).splits
    if scope.split not in splits:
        raise ModelError(f"{data} has no {scope.split} split; --split is {' or '.join(splits)}")
    return splits[scope.split], f"{data} {scope.split}"
