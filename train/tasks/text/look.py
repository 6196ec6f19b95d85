"""The inspection of a user's own texts, and the settings chosen from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from lstm_jax.text.units import UNITS
from lstm_jax.train.data import corpus
from lstm_jax.train.data.corpus import Documents
from lstm_jax.train.look import Choice, Look, choose
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.own import (
    as_texts,
    cut_documents,
    hold_out,
    is_whole,
    read_documents,
)
from lstm_jax.train.tasks.text.saw import describe
from lstm_jax.train.tasks.text.sizes import (
    HELD_OUT,
    check_enough,
    choose_min_count,
    choose_sizes,
)
from lstm_jax.train.tasks.text.stream import choose_to_stream
from lstm_jax.train.tasks.text.stream_look import look_at_stream
from lstm_jax.train.tasks.text.task import make_text_task


def look_at_texts(config: TextConfig, given: object = None) -> Look[TextConfig]:
    """Inspect texts, and build a task from them; for data of the package there are no choices.

    Args:
        config: configuration of a run.
        given: texts from Python, instead of files.

    Raises:
        DataError, TextFileError: if texts are missing or cannot be learned from.
    """
    if not config.own:
        return Look(config, make_text_task(config))
    config, streamed = choose_to_stream(config, given)
    if config.stream:
        return look_at_stream(config, streamed)
    documents = read_documents(config, given)
    files = documents.names if config.file else ()
    config = replace(config, file=files, data_sha256=documents.sha256)
    config, cut = _choose_texts(config, documents)
    pieces = cut_documents(config, documents)
    config, held = choose(config, _splits(config, pieces))
    splits, unit = hold_out(config, pieces), UNITS[config.unit]
    symbols = Counter(symbol for text in splits["train"] for symbol in unit.split(text))
    check_enough(symbols.total(), config.unit)
    config, counted = choose(config, [choose_min_count(config.unit, len(symbols))])
    config, sized = choose(config, choose_sizes(symbols.total(), config.unit))
    texts = as_texts(config, documents, pieces, splits)
    task = make_text_task(config, texts)
    saw = describe(documents, texts, symbols, task)
    return Look(config, task, tuple(saw), (*cut, *held, *counted, *sized))


def _choose_texts(
    config: TextConfig, documents: Documents
) -> tuple[TextConfig, tuple[Choice, ...]]:
    if config.texts != "auto":
        return config, ()
    texts, why = corpus.how_to_cut(documents.texts)
    return replace(config, texts=texts), (Choice("texts", texts, why),)


def _splits(config: TextConfig, texts: Sequence[str]) -> Iterator[Choice]:
    if is_whole(config, texts):
        why = "share of the texts, chosen by their hash, so that equal texts stay together"
        yield Choice("valid", HELD_OUT, why)
        yield Choice("test", HELD_OUT, why)
        return
    whole = "the text" if len(texts) == 1 else "each text"
    before = "the last part of" if config.test == 0 else "before the test part of"
    yield Choice("valid", HELD_OUT, f"{before} {whole}, used to choose the best model")
    yield Choice("test", HELD_OUT, f"the last part of {whole}, not used for any choice")
