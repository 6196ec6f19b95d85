"""Perplexity over whole texts, each read from the empty state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
from flax import nnx

from lstm_jax.models.char_lm import CharLM
from lstm_jax.text.language import LanguageModel
from lstm_jax.train.data.text import Window, Windows, pack


@dataclass(frozen=True)
class Score:
    """`nats` is the sum of -ln p over `symbols`: every character, and one end for each text.

    `unknown` counts the symbols that the vocabulary does not hold, scored as UNKNOWN.
    """

    nats: float
    symbols: int
    unknown: int = 0

    @property
    def nats_per_symbol(self) -> float:
        return self.nats / self.symbols

    @property
    def perplexity(self) -> float:
        # Beyond 709 nats, as of a model that diverged, math.exp would raise.
        return math.inf if self.nats_per_symbol > 709 else math.exp(self.nats_per_symbol)


def score_texts(
    model: LanguageModel,
    texts: Sequence[str],
    *,
    rows: int = 48,
    length: int = 64,
    progress: Callable[[Iterable[int]], Iterable[int]] = lambda indices: indices,
) -> Score:
    """The score of a trained model on some texts; `rows` and `length` change its speed alone.

    Raises:
        ValueError: for no texts.
    """
    ids = [model.vocabulary.encode(text) for text in texts]
    rows = min(rows, len(ids))
    windows = pack(ids, rows=rows, length=length, end_id=model.vocabulary.end_id)
    params = nnx.state(model.network, nnx.Param)
    carry = model.network.initial_state(rows)
    score = evaluate(make_scorer(model.network), params, carry, windows, progress=progress)
    unknown = sum(int((text == model.vocabulary.unknown_id).sum()) for text in ids)
    return replace(score, unknown=unknown)


def make_scorer(model: CharLM) -> Callable[[nnx.State, Any, Window], tuple[Any, jax.Array]]:
    """`score(params, carry, window) -> (carry, nats)`, jitted, without dropout."""
    graph = nnx.graphdef(model)

    @jax.jit
    def score(params, carry, window):
        carry, log_probabilities = nnx.merge(graph, params).log_probabilities(
            window.inputs, window.targets, carry, resets=window.resets
        )
        return carry, -(window.weights * log_probabilities).sum()

    return score


def evaluate(
    scorer: Callable[[nnx.State, Any, Window], tuple[Any, jax.Array]],
    params: nnx.State,
    carry: Any,
    windows: Windows,
    *,
    progress: Callable[[Iterable[int]], Iterable[int]] = lambda indices: indices,
) -> Score:
    """Sum the scores of all windows.

    Texts are never split between rows and the state is reset where one begins, so the figure is
    that of each text alone from the empty state, whatever the rows and the window.
    """
    total = 0.0
    for index in progress(range(len(windows))):
        carry, nats = scorer(params, carry, windows[index])
        total += float(nats)
    return Score(total, windows.symbols)
