"""Sequences for a report: those that a classifier did not learn from, cut to one length."""

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
    """Take the longest examples, and of each as many steps as all of them have.

    Args:
        examples: held-out ones.
        count: of rows, at most.
        steps: of a row, at most.
        kind: what an example is, in the singular.
        source: a sentence that says whence they are.
        words: of each example, where it has some.
    """
    which, width = longest([len(sequence) for sequence in examples.inputs], count, steps)
    cut = sum(len(examples.inputs[place]) > width for place in which)
    notes = [f"the {len(which)} longest of {len(examples.inputs):,} {kind}s"]
    if cut:
        notes.append(
            f"{cut:,} of them were cut to {width} steps, and are judged by what was read so far"
        )
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
