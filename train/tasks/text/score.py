"""Perplexity over whole texts, each read from the empty state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import jax
import numpy as np
from flax import nnx
from jax import Array

from lstm_jax.models.char_lm import CharLM
from lstm_jax.text.language import LanguageModel
from lstm_jax.train.batch import Batch
from lstm_jax.train.data.text import Packed, pack, stripes
from lstm_jax.train.task import summed
from lstm_jax.trees import Tree

Scorer: TypeAlias = Callable[[nnx.State, Tree, Batch[np.ndarray]], tuple[Tree, Array]]
"""`score(params, carry, window) -> (carry, nats)`: the state at the window's end, and the sum."""

Progress: TypeAlias = Callable[[Iterable[int]], Iterable[int]]
"""What hands on the numbers of the windows, and shows how far they are."""


def silent(indices: Iterable[int]) -> Iterable[int]:
    """Hand on, and show nothing."""
    return indices


@dataclass(frozen=True)
class Score:
    """`nats` is the sum of -ln p over `symbols`: those of the texts, and the end of each whole one.

    `unknown` counts the symbols that the vocabulary does not hold, scored as UNKNOWN.
    """

    nats: float
    symbols: int
    unknown: int = 0

    @property
    def nats_per_symbol(self) -> float:
        """The mean, `nats / symbols`."""
        return self.nats / self.symbols

    @property
    def perplexity(self) -> float:
        """e to the mean."""
        # Beyond 709 nats, as of a model that diverged, math.exp would raise.
        return math.inf if self.nats_per_symbol > 709 else math.exp(self.nats_per_symbol)

    def bits_per(self, characters: int) -> float:
        """Give the bits a character, the ends included, which any unit can be compared by.

        Args:
            characters: of the texts.
        """
        return self.nats / math.log(2) / characters


def score_texts(
    model: LanguageModel,
    texts: Sequence[str],
    *,
    rows: int = 48,
    length: int = 64,
    running: bool = False,
    progress: Progress = silent,
) -> Score:
    """Score some texts by a trained model.

    Args:
        model: of any vocabulary.
        texts: as they are written.
        rows: B, texts that are read side by side; it changes the speed alone.
        length: T, of a window; it changes the speed alone.
        running: each text goes on where the one before it ends, and no end is predicted.
        progress: may show how far it is.

    Raises:
        ValueError: for no texts.
    """
    ids = [model.encode(text) for text in texts]
    rows = 1 if running else min(rows, len(ids))
    lay = stripes if running else pack
    packed = lay(ids, rows=rows, length=length, end_id=model.vocabulary.end_id)
    params = nnx.state(model.network, nnx.Param)
    carry = model.network.initial_state(rows)
    score = evaluate(make_scorer(model.network), params, carry, packed, progress=progress)
    unknown = sum(int((text == model.vocabulary.unknown_id).sum()) for text in ids)
    return replace(score, unknown=unknown)


def make_scorer(model: CharLM) -> Scorer:
    """Make a `Scorer`, jitted, without dropout.

    Args:
        model: whose structure the parameters have.
    """
    graph = nnx.graphdef(model)

    @jax.jit
    def score(params: nnx.State, carry: Tree, window: Batch[Array]) -> tuple[Tree, Array]:
        carry, log_probabilities = nnx.merge(graph, params).log_probabilities(
            window.inputs, window.targets, carry, resets=window.resets
        )
        return carry, -summed(log_probabilities, window.weights)[0]

    return score


def evaluate(
    scorer: Scorer,
    params: nnx.State,
    carry: Tree,
    packed: Packed,
    *,
    progress: Progress = silent,
) -> Score:
    """Sum the scores of all windows.

    Texts are never split between rows and the state is reset where one begins, so the figure is
    that of each text alone from the empty state, whatever the rows and the window.

    Args:
        scorer: what `make_scorer` gives.
        params: of the model.
        carry: the empty state.
        packed: the texts.
        progress: may show how far it is.
    """
    total, windows = 0.0, packed.windows()
    for index in progress(range(len(windows))):
        carry, nats = scorer(params, carry, windows[index])
        total += float(nats)
    return Score(total, packed.symbols)
