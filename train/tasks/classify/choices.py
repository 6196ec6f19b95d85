"""Settings that are chosen from the data: sizes, steps, noise, and weights of classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from lstm_jax.train.look import Choice, choose
from lstm_jax.train.tasks.classify.config import ClassifyConfig
from lstm_jax.train.tasks.classify.examples import rows_of, widths_of

UNEVEN = 5  # ratio of the largest to the smallest class, above which classes are weighted
MOST_WORDS = 512
MOST_STEPS = 1024
MOST_KINDS = 50_000  # words in a vocabulary
STEPS = {"texts": 1600, "sequences": 1500}  # training steps of a run
PASSES = (6, 100)
AT_ONCE = 10_000  # sequences between two validations
SIZES = {
    # For fewer examples than the first number: width of the embedding, width of the layer.
    "texts": ((1_000, 64, 48), (4_000, 100, 64), (10**12, 200, 128)),
    "sequences": ((10**4, 64, 64), (10**12, 128, 128)),
}


def fill(
    config: ClassifyConfig, lengths: np.ndarray, truth: np.ndarray, classes: int, kind: str
) -> tuple[ClassifyConfig, tuple[Choice, ...]]:
    """Choose all open settings, except how the examples are read.

    Args:
        config: configuration of the run.
        lengths: lengths of the training sequences as the model reads them, (N,).
        truth: their classes, (N,).
        classes: C, the number of classes.
        kind: "texts" or "sequences".

    Returns:
        The configuration, and the choices that were made.
    """
    config, made = choose(config, [
        of_classes(truth, classes),
        *of_sizes(len(lengths), kind),
        *([Choice("noise", 0.1, "a tenth of a column's standard deviation")]
          if kind == "sequences" else []),
        *of_batches(lengths, kind),
    ])  # fmt: skip
    # The number of epochs depends on the batches, and the patience on the number of epochs.
    batches = batches_of(lengths, partial(rows_of, config.words), halfway=True)
    config, passes = choose(config, [of_passes(batches, config.validations, kind)])
    config, ends = choose(config, of_schedule(batches, config.validations, config.epochs))
    return config, (*made, *passes, *ends)


def of_classes(truth: np.ndarray, classes: int) -> Choice:
    """Choose whether classes are weighted.

    Args:
        truth: classes of the training examples, (N,).
        classes: C, the number of classes.
    """
    counts = np.bincount(truth, minlength=classes)
    least, most = int(counts[counts > 0].min()), int(counts.max())
    uneven = most > UNEVEN * least
    why = (
        f"the largest class has {most:,} examples, the smallest {least:,}: "
        f"the ratio is {'above' if uneven else 'at most'} {UNEVEN}"
    )
    return Choice("class_weights", "balanced" if uneven else "none", why)


def of_longest(lengths: np.ndarray, most: int, unit: str) -> Choice:
    """Choose the length at which sequences are cut.

    Args:
        lengths: lengths of the training sequences, (N,).
        most: maximum length.
        unit: unit of the lengths, in the plural.
    """
    longest, share = int(lengths.max()), float((lengths > most).mean())
    if longest <= most:
        return Choice("longest", most, f"the longest has {longest:,} {unit}: none is cut")
    return Choice("longest", most, f"{share:.1%} have more {unit}, up to {longest:,}, and are cut")


def of_min_count(counts: Sequence[int]) -> Choice:
    """Choose the minimum count of a known word.

    Args:
        counts: count of each different word in the training texts.
    """
    seen, least = np.asarray(counts), 1
    while (seen >= least).sum() > MOST_KINDS:
        least += 1
    kept = int((seen >= least).sum())
    return Choice("min_count", least, f"keeps {kept:,} of {len(seen):,} different words")


def of_batches(lengths: np.ndarray, kind: str) -> list[Choice]:
    """Choose the size of a batch, and the number of validations.

    Args:
        lengths: lengths of the training sequences, (N,).
        kind: "texts" or "sequences".
    """
    count, median = len(lengths), int(np.median(lengths))
    if kind == "texts":
        words, why = (1024, "as for film reviews") if count >= 2000 else (512, "few texts")
    else:
        words = max(64, 16 * median)
        why = f"16 sequences of the median length {median:,}"
    validations = max(1, count // AT_ONCE)
    return [
        Choice("words", words, why),
        Choice("validations", validations, f"about one every {count // validations:,} examples"),
    ]


def of_passes(batches: int, validations: int, kind: str) -> Choice:
    """Choose the number of epochs.

    Args:
        batches: number of batches in a pass over the training data.
        validations: number of validations in a pass.
        kind: "texts" or "sequences".
    """
    passes = int(np.clip(round(STEPS[kind] / batches), *PASSES))
    why = f"{passes} passes of {batches:,} batches"
    return Choice("epochs", passes * validations, why)


def of_schedule(batches: int, validations: int, epochs: int) -> list[Choice]:
    """Choose the patience, and the warm-up.

    Args:
        batches: number of batches in a pass over the training data.
        validations: number of validations in a pass.
        epochs: number of epochs, each of which is a part of a pass.
    """
    steps = epochs * batches // validations
    return [
        Choice("patience", max(4, epochs // 5), f"a fifth of {epochs:,} epochs, at least 4"),
        Choice("optimizer.warmup_steps", max(1, min(200, steps // 10)), "a tenth of the steps"),
    ]


def of_sizes(count: int, kind: str) -> list[Choice]:
    """Choose the sizes of the model.

    Args:
        count: number of training examples.
        kind: "texts" or "sequences".
    """
    most, embedding, hidden = next(row for row in SIZES[kind] if count < row[0])
    few = most < 10**12
    why = f"fewer than {most:,} examples" if few else f"{count:,} examples"
    widths = [Choice("model.hidden_features", hidden, why)]
    if kind == "texts":
        widths.append(Choice("model.embedding_features", embedding, why))
    return [*widths, Choice("model.num_layers", 1, "one bidirectional layer")]


def batches_of(lengths: np.ndarray, rows: Callable[[int], int], *, halfway: bool) -> int:
    """Count the batches of a pass.

    Args:
        lengths: lengths of the sequences, (N,).
        rows: function from a width to the rows of a batch.
        halfway: as in `widths_of`.
    """
    widths = widths_of(int(lengths.max()), halfway=halfway)
    counts = np.bincount(np.searchsorted(widths, lengths), minlength=len(widths)).tolist()
    return sum(-(-count // rows(width)) for width, count in zip(widths, counts, strict=True))
