"""The inspection of texts larger than memory, and the settings chosen from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lstm_jax.text.lines import read_chunks
from lstm_jax.train.data import corpus
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.shards import pieces
from lstm_jax.train.data.shards.count import Counts
from lstm_jax.train.look import Choice, Look, choose
from lstm_jax.train.tasks.text.config import TextConfig
from lstm_jax.train.tasks.text.saw import SPLITS, of_characters, of_symbols, of_the_model
from lstm_jax.train.tasks.text.sizes import HELD_OUT, check_enough, choose_min_count, choose_sizes
from lstm_jax.train.tasks.text.stream import StreamTask, make_stream_task, read_prepared

SAMPLE = 2**20  # bytes at the beginning of a file, by which the extent of a text is chosen
HELD_BYTES = 2**20  # for validation, and for testing, so that they take at most minutes
MOST_HELD = 2**24  # bytes that may be held out, because they are in memory


def look_at_stream(config: TextConfig, chose: tuple[Choice, ...]) -> Look[TextConfig]:
    """Inspect texts that are read from disk as needed, and build a task from them.

    Args:
        config: configuration of a run that streams its files.
        chose: earlier choices.

    Raises:
        DataError, TextFileError: if texts are missing or cannot be learned from.
    """
    paths = corpus.find_files(config.file)
    size = sum(path.stat().st_size for path in paths)
    config = replace(config, file=tuple(map(str, paths)))
    if config.texts == "auto":
        extent = _choose_texts(config, paths)
        config, chose = replace(config, texts=extent.value), (*chose, extent)
    config, held = choose(config, _splits(config, size))
    _check_held(config, size)
    prepared = read_prepared(config)
    config, counts = replace(config, data_sha256=prepared.sha256), prepared.counts
    check_enough(counts.total, config.unit)
    config, counted = choose(config, [choose_min_count(config.unit, counts.kinds)])
    sizes = {choice.field: choice for choice in choose_sizes(counts.total, config.unit)}
    passes = sizes.pop("epochs")
    config, sized = choose(config, sizes.values())
    task = make_stream_task(config, prepared)
    config, last = choose(config, [_choose_epochs(passes, task.parts)])
    task = replace(task, config=config)
    saw = tuple(_describe(paths, size, counts, task))
    return Look(config, task, saw, (*chose, *held, *counted, *sized, *last))


def _choose_texts(config: TextConfig, paths: Sequence[Path]) -> Choice:
    if len(paths) >= corpus.MANY:
        return Choice("texts", "file", f"there are {len(paths):,} files, and each is a text")
    samples = []
    for path in paths:
        _, text = next(read_chunks(path, config.encoding, size=SAMPLE))
        whole = path.stat().st_size <= SAMPLE
        samples.append(text if whole else text[: text.rfind("\n") + 1] or text)
    texts, why = corpus.how_to_cut(samples)
    return Choice("texts", texts, f"{why}, judging by the first {SAMPLE:,} bytes of each file")


def _splits(config: TextConfig, size: int) -> Iterator[Choice]:
    share = float(f"{min(HELD_OUT, HELD_BYTES / max(size, 1)):.3g}")
    why = f"about {share * size:,.0f} bytes, chosen by the hash of each text or piece"
    yield Choice("valid", share, why)
    yield Choice("test", share, "the same share, not used for any choice")


def _choose_epochs(passes: Choice, parts: int) -> Choice:
    if parts == 1:
        return passes
    why = f"{passes.value} times the {parts:,} epochs that read the texts once; {passes.why}"
    return Choice("epochs", passes.value * parts, why)


def _check_held(config: TextConfig, size: int) -> None:
    for name in ("valid", "test"):
        share = getattr(config, name)
        if share * size > MOST_HELD:
            raise DataError(
                f"--{name} must be at most {MOST_HELD / size:.2g} ({MOST_HELD:,} of {size:,} "
                f"bytes, which are kept in memory), got {share:g}"
            )


def _describe(paths: Sequence[Path], size: int, counts: Counts, task: StreamTask) -> Iterator[str]:
    config = task.config
    name = str(paths[0]) if len(paths) == 1 else f"{len(paths):,} files"
    yield f"{name}: {size:,} bytes, {counts.characters:,} characters in texts"
    numbers = ", ".join(f"{number:,} {SPLITS[name]}" for name, number in counts.texts.items())
    kinds = f" or pieces of at most {pieces.PIECE:,} characters" if counts.cut else ""
    yield f"{sum(counts.texts.values()):,} texts{kinds}: {numbers}"
    if config.unit == "character":
        yield from of_characters(counts.symbols)
    if config.unit == "word":
        yield f"{counts.kinds:,} different words in the training texts"
        if counts.kinds > len(counts.symbols):
            yield f"all but the {len(counts.symbols):,} most frequent become the unknown symbol"
    yield from of_symbols(counts.symbols, counts.total, task)
    yield from of_the_model(counts.total, task)
    if task.parts > 1:
        steps = len(task.epoch(0))
        yield (
            f"{task.parts:,} epochs of {steps:,} steps read the texts once, each with a validation"
        )
