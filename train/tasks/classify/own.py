"""The inspection of a user's own texts or sequences, and the task built from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from lstm_jax.models.bags import spelled
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.train.config import ConfigError
from lstm_jax.train.data.examples import parts, words
from lstm_jax.train.data.examples.classes import balanced
from lstm_jax.train.data.examples.parts import Labeled
from lstm_jax.train.look import Choice, Look, choose
from lstm_jax.train.tasks.classify import choices
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.examples import Examples, rows_of
from lstm_jax.train.tasks.classify.readers import (
    Reader,
    Split,
    TextReader,
    fit_sequences,
    split_text,
)
from lstm_jax.train.tasks.classify.source import absolute, arranged, kind_of, read_rows
from lstm_jax.train.tasks.classify.task import ClassifierTask

NOT_FOR = {"texts": ("noise",), "sequences": ("grams", "unit")}
"""Fields that do not apply to a kind of examples."""
SOME = 1000  # number of texts by which the script is recognized


def look_at_own(config: ClassifyConfig, given: object = None) -> Look[ClassifyConfig]:
    """Read a user's data, choose open settings, and build the task.

    Args:
        config: configuration of the run.
        given: a frame, if the data are not in a file.

    Raises:
        ConfigError: if a field does not apply to the kind of the examples.
        DataError: if the data cannot be learned from; the message names the place and the reason.
        TextFileError: if a file is not text.
    """
    rows, held = read_rows(config, given)
    share = parts.share_of(len(rows))
    why = f"{len(rows):,} examples, {'at least' if share == 0.1 else 'fewer than'} {parts.FEW:,}"
    config, made = choose(config, [
        Choice(name, share, why) for name in ("valid", "test") if name not in held
    ])  # fmt: skip
    data = arranged(config, rows, held)
    train, valid = data.parts["train"], data.parts["valid"]
    kind = kind_of(config)
    for name in NOT_FOR[kind]:
        if getattr(config, name):
            raise ConfigError(f"--{name} must be left alone for {kind}")
    reader, config, more, seen = reader_of(config, data)
    made += more
    inputs = reader(train.inputs)
    lengths = np.array([len(sequence) for sequence in inputs])
    count = len(inputs)
    config, more = choices.fill(config, lengths, train.truth, len(data.classes), kind)
    made += more
    config = replace(config, data_sha256=data.sha256, **absolute(config))
    task = ClassifierTask(
        config,
        description=f"{data.name}: {count:,} training {kind}, {len(data.classes):,} classes",
        unit=kind,
        facts={"data": "own", "data_sha256": data.sha256},
        identity={"data": data.sha256},
        train=examples(inputs, train.truth, len(data.classes), config.class_weights == "balanced"),
        valid=examples(reader(valid.inputs), valid.truth, len(data.classes)),
        reads=reader.reads,
        own={"classes": data.classes, **reader.to_store()},
        rows_of=partial(rows_of, config.words),
        halfway=True,
        augment=partial(shaken, config.noise) if config.noise else None,
        calibrated=True,
    )
    return Look(config, task, (*data.saw, *seen), made)


def reader_of(
    config: ClassifyConfig, data: Labeled
) -> tuple[Reader, ClassifyConfig, tuple[Choice, ...], list[str]]:
    """Choose how the examples are read.

    Args:
        config: configuration of the run.
        data: the examples, in their parts.

    Returns:
        The reader, the configuration, the choices that were made, and lines that describe the data.
    """
    train = data.parts["train"].inputs
    if kind_of(config) == "sequences":
        lengths = np.array([len(sequence) for sequence in train])
        longest = choices.of_longest(lengths, choices.MOST_STEPS, "steps")
        config, made = choose(config, [longest])
        reader = fit_sequences(data.columns, train, config.longest)
        return reader, config, made, [*_lengths(lengths, "steps"), *_missing(reader, train)]
    config, made = choose(config, [_unit(train)] if config.text else [])
    split: Split = "token" if config.tokens else config.unit or "word"
    texts = [split_text(text, split) for text in train]
    lengths = np.array([len(text) for text in texts])
    counts = Counter(word for text in texts for word in text)
    longest = choices.of_longest(lengths, choices.MOST_WORDS, f"{split}s")
    config, more = choose(config, [longest, choices.of_min_count(list(counts.values()))])
    cut = [text[: config.longest] for text in texts]
    vocabulary = spelled(Vocabulary.from_texts(cut, min_count=config.min_count), config.grams)
    reader = TextReader(split, vocabulary, config.longest)
    seen = [*_lengths(lengths, f"{split}s"), _vocabulary(reader, data)]
    return reader, config, (*made, *more), seen


def examples(
    inputs: Sequence[np.ndarray], truth: np.ndarray, classes: int, weighted: bool = False
) -> Examples:
    """Combine inputs and classes.

    Args:
        inputs: N sequences of ids or vectors.
        truth: their classes, (N,).
        classes: C, the number of classes.
        weighted: whether every class counts the same.
    """
    targets = np.eye(classes, dtype=np.float32)[truth]
    return Examples(inputs, targets, balanced(truth, classes) if weighted else None)


def shaken(noise: float, rng: np.random.Generator, sequence: np.ndarray) -> np.ndarray:
    """Add noise with a standard deviation to a sequence."""
    return sequence + rng.normal(0, noise, sequence.shape).astype(np.float32)


def _unit(texts: Sequence[str]) -> Choice:
    unit = words.unit_of(texts[:SOME])
    why = {
        "word": "the script of the texts has blanks between words",
        "character": "the script of the texts has no blanks between words",
    }
    return Choice("unit", unit, why[unit])


def _lengths(lengths: np.ndarray, unit: str) -> list[str]:
    median, high = np.quantile(lengths, [0.5, 0.95]).tolist()
    return [
        f"{unit} in training examples: median {median:,.0f}, 95% have at most {high:,.0f}, "
        f"maximum {int(lengths.max()):,}"
    ]


def _vocabulary(reader: TextReader, data: Labeled) -> str:
    shares = []
    for name in ("valid", "test"):
        texts = data.parts[name].inputs
        if texts:
            known = reader.vocabulary.known([word for text in texts for word in reader.words(text)])
            shares.append(f"{1 - known.mean() if len(known) else 0:.1%} in {name}")
    size = len(reader.vocabulary.characters) + 2
    return f"vocabulary of {size:,}; unknown: {' and '.join(shares)}"


def _missing(reader: Reader, train: Sequence[np.ndarray]) -> list[str]:
    share = float(np.mean([np.isnan(sequence).mean() for sequence in train]))
    if not share:
        return []
    return [f"missing values: {share:.1%}; replaced by the last known value, and marked"]
