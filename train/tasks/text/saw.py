"""The report on a user's own texts that is printed before training."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain

from lstm_jax.text.units import UNITS
from lstm_jax.train.data import corpus
from lstm_jax.train.data.corpus import Documents
from lstm_jax.train.tasks.text.own import cut_documents, is_whole
from lstm_jax.train.tasks.text.sizes import parameters
from lstm_jax.train.tasks.text.task import Texts, TextTask

FEW = 20_000  # symbols; from fewer, a model learns the spelling of words, and little else
SPLITS = {"train": "for training", "valid": "for validation", "test": "for testing"}
SCRIPTS = {"CJK": "Han"}


def describe(
    documents: Documents, texts: Texts, symbols: Mapping[str, int], task: TextTask
) -> Iterator[str]:
    """Describe texts in several lines.

    Args:
        documents: the documents as read.
        texts: the texts that the documents were cut and split into.
        symbols: count of each symbol in the training texts.
        task: the task of the run.
    """
    yield from _of_documents(documents, "files" if task.config.file else "texts")
    yield from _of_texts(documents, texts, task)
    yield from of_characters(Counter(chain.from_iterable(documents.texts)))
    if task.config.unit == "word":
        yield f"{len(symbols):,} different words in the training texts"
    yield from of_symbols(symbols, sum(symbols.values()), task)
    yield from _of_copies(texts)
    yield from of_the_model(sum(symbols.values()), task)


def of_the_model(total: int, task: TextTask) -> Iterator[str]:
    """Report the size of the model, and of the text.

    Args:
        total: number of symbols in the training texts.
        task: the task of the run.
    """
    unit, size = UNITS[task.config.unit], parameters(task.config.model, len(task.vocabulary))
    yield f"the model: about {float(f'{size:.2g}'):,.0f} parameters, for {total:,} {unit.plural}"
    if total < FEW:
        yield f"this is not much text: with fewer than {FEW:,} {unit.plural}, do not expect much"


def _of_documents(documents: Documents, kind: str) -> Iterator[str]:
    names, contents = documents.names, documents.texts
    name = names[0] if len(names) == 1 else f"{len(names):,} {kind}"
    yield f"{name}: {documents.size:,} bytes, {sum(map(len, contents)):,} characters"
    empty = [name for name, text in zip(names, contents, strict=True) if not text.strip()]
    if empty:
        yield f"left out {len(empty):,} of the {kind}, which are empty, the first: {empty[0]}"


def _of_texts(documents: Documents, texts: Texts, task: TextTask) -> Iterator[str]:
    splits = texts.splits
    if is_whole(task.config, cut_documents(task.config, documents)):
        lengths = sorted(len(text) for held in splits.values() for text in held)
        counts = ", ".join(f"{len(held):,} {SPLITS[name]}" for name, held in splits.items())
        yield (
            f"{len(lengths):,} texts of {lengths[0]:,} to {lengths[-1]:,} characters, "
            f"median {lengths[len(lengths) // 2]:,}: {counts}"
        )
    else:
        held = {name: sum(map(len, parts)) for name, parts in splits.items()}
        counts = ", ".join(f"{count:,} {SPLITS[name]}" for name, count in held.items())
        yield f"continuous text, split by characters in order: {counts}"


def of_characters(counts: Mapping[str, int]) -> Iterator[str]:
    """Report the scripts of a text, and characters that hardly belong in a text.

    Args:
        counts: count of each character.
    """
    scripts: Counter[str] = Counter()
    for character, count in counts.items():
        if character.isalpha():
            first = unicodedata.name(character, "UNNAMED").split()[0].split("-")[0]
            scripts[SCRIPTS.get(first, first.capitalize())] += count
    letters = max(scripts.total(), 1)
    common = [(name, n / letters) for name, n in scripts.most_common(3)]
    shares = [f"{name} {share:.0%}" for name, share in common if share >= 0.005]
    yield f"{len(counts):,} different characters" + (f": {', '.join(shares)}" if shares else "")
    controls = {c for c in counts if unicodedata.category(c) == "Cc"} - {"\t", "\n"}
    control = sum(counts[c] for c in controls)
    if control:
        yield f"{control:,} control characters, which are learned like any other"
    replaced = counts.get("\ufffd", 0)
    if replaced:
        yield (
            f"{replaced:,} characters are U+FFFD, which replaces characters that could not be "
            "decoded: was the text saved in another encoding?"
        )


def of_symbols(symbols: Mapping[str, int], total: int, task: TextTask) -> Iterator[str]:
    """Report the symbols that the vocabulary leaves out.

    Args:
        symbols: count of each symbol in the training texts.
        total: number of symbols in the training texts.
        task: the task of the run.
    """
    config, unit = task.config, UNITS[task.config.unit]
    if config.unit != "byte":
        least = config.min_count
        rare = (total - sum(n for n in symbols.values() if n >= least)) / total
        if rare:
            yield (
                f"{rare:.2%} of the training {unit.plural} occur fewer than {least} times, and "
                "become the unknown symbol"
            )
    held = sum(map(len, task.valid))
    unknown = sum(int((ids == task.vocabulary.unknown_id).sum()) for ids in task.valid)
    if unknown:
        yield f"{unknown:,} of {held:,} validation {unit.plural} are unknown"


def _of_copies(texts: Texts) -> Iterator[str]:
    copies = corpus.copies_of(text for held in texts.splits.values() for text in held)
    if copies:
        yield f"{copies:,} texts are copies of others; equal texts are in the same part"
    shared, lines = corpus.lines_shared(texts.splits)
    if shared:
        yield (
            f"{shared:,} of the {lines:,} held-out lines of {corpus.LONG_LINE} characters or more "
            "are also in the training texts, so that results on them are partly memory"
        )
