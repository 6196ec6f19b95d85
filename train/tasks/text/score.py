"""Perplexity of whole texts, each read from the empty state."""

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
"""`score(params, carry, window) -> (carry, nats)`: the state after the window, and its nats."""

Progress: TypeAlias = Callable[[Iterable[int]], Iterable[int]]
"""Iterates over the numbers of the windows, and may show the progress."""


def silent(indices: Iterable[int]) -> Iterable[int]:
    """Return the indices without showing any progress."""
    return indices


@dataclass(frozen=True)
class Score:
    """Store the score of texts.

    `nats` is the sum of -ln p over the `symbols` of the texts, including the end of each whole
    text. `unknown` counts the symbols that are not in the vocabulary and are scored as UNKNOWN.
    """

    nats: float
    symbols: int
    unknown: int = 0

    @property
    def nats_per_symbol(self) -> float:
        """Return the mean, `nats / symbols`."""
        return self.nats / self.symbols

    @property
    def perplexity(self) -> float:
        """Return the exponential of the mean."""
        # Beyond 709 nats, for example if the model diverged, math.exp would raise an error.
        return math.inf if self.nats_per_symbol > 709 else math.exp(self.nats_per_symbol)

    def bits_per(self, characters: int) -> float:
        """Return the bits per character, including the ends, which compare models of any unit.

        Args:
            characters: number of characters in the texts.
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
    """Score texts with a trained model.

    Args:
        model: the model.
        texts: the texts.
        rows: B, number of texts read side by side, which only affects the speed.
        length: T, length of a window, which only affects the speed.
        running: each text continues the one before it, and no end is predicted.
        progress: wraps the windows, for example in a progress bar.

    Raises:
        ValueError: if there are no texts.
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
    """Build a jitted `Scorer` without dropout.

    Args:
        model: a model with the structure of the parameters.
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

    Texts are never split between rows, and the state is reset where a text begins. The result is
    therefore that of each text alone from the empty state, whatever the rows and the window.

    Args:
        scorer: the result of `make_scorer`.
        params: parameters of the model.
        carry: the empty state.
        packed: the texts.
        progress: wraps the windows, for example in a progress bar.
    """
    total, windows = 0.0, packed.windows()
    for index in progress(range(len(windows))):
        carry, nats = scorer(params, carry, windows[index])
        total += float(nats)
    return Score(total, packed.symbols)
