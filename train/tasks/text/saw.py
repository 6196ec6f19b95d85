"""What is in a user's own texts, in words."""

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

FEW = 20_000  # symbols; a model of fewer learns how words are spelt, and little else
SPLITS = {"train": "to learn from", "valid": "for validation", "test": "for the test"}
SCRIPTS = {"CJK": "Han"}


def describe(
    documents: Documents, texts: Texts, symbols: Mapping[str, int], task: TextTask
) -> Iterator[str]:
    """Say what is in texts, a line each.

    Args:
        documents: as they were read.
        texts: that they were cut and split into.
        symbols: how often each is in the training texts.
        task: what is to be learned.
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
    """Say how large the model is, and for how much text.

    Args:
        total: symbols of the training texts.
        task: what is to be learned.
    """
    unit, size = UNITS[task.config.unit], parameters(task.config.model, len(task.vocabulary))
    yield f"the model: about {float(f'{size:.2g}'):,.0f} parameters, for {total:,} {unit.plural}"
    if total < FEW:
        yield f"that is little text: with fewer than {FEW:,} {unit.plural}, expect little"


def _of_documents(documents: Documents, kind: str) -> Iterator[str]:
    names, contents = documents.names, documents.texts
    what = names[0] if len(names) == 1 else f"{len(names):,} {kind}"
    yield f"{what}: {documents.size:,} bytes, {sum(map(len, contents)):,} characters"
    empty = [name for name, text in zip(names, contents, strict=True) if not text.strip()]
    if empty:
        yield f"{len(empty):,} of the {kind} hold nothing and are left out, {empty[0]} the first"


def _of_texts(documents: Documents, texts: Texts, task: TextTask) -> Iterator[str]:
    splits = texts.splits
    if is_whole(task.config, cut_documents(task.config, documents)):
        lengths = sorted(len(text) for held in splits.values() for text in held)
        counts = ", ".join(f"{len(held):,} {SPLITS[name]}" for name, held in splits.items())
        yield (
            f"{len(lengths):,} texts of {lengths[0]:,} to {lengths[-1]:,} characters, "
            f"{lengths[len(lengths) // 2]:,} in the middle: {counts}"
        )
    else:
        held = {name: sum(map(len, parts)) for name, parts in splits.items()}
        counts = ", ".join(f"{count:,} {SPLITS[name]}" for name, count in held.items())
        yield f"running text, its characters in order: {counts}"


def of_characters(counts: Mapping[str, int]) -> Iterator[str]:
    """Say what scripts there are, and what is hardly text.

    Args:
        counts: how often each character is there.
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
        yield f"{control:,} control characters, which are learned like any others"
    replaced = counts.get("\ufffd", 0)
    if replaced:
        yield (
            f"{replaced:,} characters are U+FFFD, which stands for what could not be "
            "decoded: was the text saved in another encoding?"
        )


def of_symbols(symbols: Mapping[str, int], total: int, task: TextTask) -> Iterator[str]:
    """Say what the vocabulary leaves out.

    Args:
        symbols: how often each is in the training texts.
        total: how many are there.
        task: what is to be learned.
    """
    config, unit = task.config, UNITS[task.config.unit]
    if config.unit != "byte":
        least = config.min_count
        rare = (total - sum(n for n in symbols.values() if n >= least)) / total
        if rare:
            yield (
                f"{rare:.2%} of the {unit.plural} to learn from are seen fewer than {least} times, "
                "and stand for what is not known"
            )
    held = sum(map(len, task.valid))
    unknown = sum(int((ids == task.vocabulary.unknown_id).sum()) for ids in task.valid)
    if unknown:
        yield f"{unknown:,} of {held:,} {unit.plural} for validation are not known"


def _of_copies(texts: Texts) -> Iterator[str]:
    copies = corpus.copies_of(text for held in texts.splits.values() for text in held)
    if copies:
        yield f"{copies:,} texts are copies of others; all copies of one are on one side"
    shared, lines = corpus.lines_shared(texts.splits)
    if shared:
        yield (
            f"{shared:,} of the {lines:,} held-out lines of {corpus.LONG_LINE} characters or more "
            "are in the training texts too: what is measured on them is partly memory"
        )
