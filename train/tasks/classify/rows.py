"""Held-out sequences for a report on a classifier, cut to one length."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jax import Array

from lstm_jax.report.rows import Rows, longest
from lstm_jax.train.tasks.classify.examples import Examples


def rows_of_examples(
    examples: Examples,
    count: int,
    steps: int,
    *,
    kind: str,
    source: str,
    words: Sequence[Sequence[str]] | None = None,
) -> Rows:
    """Select the longest examples, and cut them to the length of the shortest of these.

    Args:
        examples: the held-out examples.
        count: maximum number of rows.
        steps: maximum number of steps in a row.
        kind: name of an example, in the singular.
        source: a sentence on where the examples come from.
        words: words of each example, if it has any.
    """
    which, width = longest([len(sequence) for sequence in examples.inputs], count, steps)
    cut = sum(len(examples.inputs[place]) > width for place in which)
    notes = [f"the {len(which)} longest of {len(examples.inputs):,} {kind}s"]
    if cut:
        notes.append(f"{cut:,} of them were cut to {width} steps, and are judged by those steps")
    return Rows(
        inputs=np.stack([examples.inputs[place][:width] for place in which]),
        targets=examples.targets[which],
        outputs=lambda model, xs: model(xs),
        loss=_cross_entropy,
        unit="nats",
        kind=kind,
        source=source,
        notes=notes,
        symbols=None if words is None else [list(words[place][:width]) for place in which],
    )


def _cross_entropy(logits: Array, targets: Array) -> Array:
    return -(jax.nn.log_softmax(logits) * targets).sum(-1)
