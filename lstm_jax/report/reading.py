"""A model's reading of rows of equal length, with every state and gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.cells import LSTMGates, Step
from lstm_jax.errors import UserError
from lstm_jax.recurrence import StackState, trace
from lstm_jax.trees import Tree

S = TypeVar("S")


class ReportError(UserError, ValueError):
    """Report, in one line, that a report cannot be made as requested."""


@dataclass(frozen=True)
class Settings:
    """Configure the amount of data and of detail in a diagnosis."""

    steps: int = 120
    """Number of symbols read from each text, or maximum number of steps of other sequences."""
    streams: int = 12
    """Maximum number of texts. For sequences with one loss each, `ends` times as many."""
    lags: int = 64
    """Number of steps that gradients are traced back, and the longest context."""
    ends: int = 4
    """Number of predictions in each text whose gradients are traced back."""
    exponents: int = 12
    """Number of Lyapunov exponents."""
    burn_in: int = 20
    """Number of steps before the exponents are accumulated."""
    singular_values: int = 8
    """Number of singular values of the products of Jacobians."""
    seed: int = 0
    """Seed of the random directions from which spectra are computed."""


QUICK = Settings(steps=30, streams=3, lags=12, ends=2, exponents=3, burn_in=6, singular_values=3)


class Streams(NamedTuple):
    """Store the data of a reading: B rows of T symbols, or of T steps.

    Attributes:
        inputs: for texts, ids (B, T): the end, which opens a text, and all symbols but the last.
        targets: for texts, the ids to predict, (B, T); otherwise the target of each row, (B, ...).
        symbols: B lists of T strings: for texts, the targets, where "" is the end of a text;
            otherwise the inputs, or None if they cannot be shown as text.
        notes: on how the rows were made.
    """

    inputs: np.ndarray
    targets: np.ndarray
    symbols: list[list[str]] | None
    notes: list[str]


class Words(NamedTuple):
    """Store the words that a report uses for a model.

    Attributes:
        symbol: the input of a step.
        row: the sequence that is read from beginning to end.
        judged: the part of a row that has a loss.
        unit: of a loss.
        formula: of a loss, in HTML.
        spread: the places of the losses whose gradients are traced back.
        reads: a sentence on the inputs of the loss, in HTML.
    """

    symbol: str = "character"
    row: str = "text"
    judged: str = "character"
    unit: str = "nats"
    formula: str = """\
<span class="maths"><i>L</i> = −ln <i>p</i>(<i>x</i><sub><i>t</i>+1</sub> |
<i>x</i><sub>≤<i>t</i></sub>)</span> of single predictions"""
    spread: str = "spread over each text"
    reads: str = "At lag 0 the loss reads only the <i>h</i> of the top layer."


CHARACTERS = Words()
"""The words for a model of characters."""


class Reader(NamedTuple):
    """Describe a model by the functions that `lstm_jax.diagnostics` needs.

    Attributes:
        step: `(params, state, x) -> state`, all layers.
        params: of every layer.
        start: the state before a row, zeros, without batch axes.
        gates: `(params, state, x) ->` the gates of every layer, for `trace`; None for cells
            without such gates.
        loss: `(hs, targets) -> (N,)`, the losses of predictions from the top layer's outputs
            before each, hs (T, N, H). For a model with one loss per row, N is all rows.
        again: `k ->` the losses (B,) of all rows after reading only the last k steps of each; None
            if every step has a loss.
        least: the smallest k.
        words: the words of the report for this model.
    """

    step: Step[tuple[Tree, ...], StackState, Array]
    params: tuple[Tree, ...]
    start: StackState
    gates: Callable[[tuple[Tree, ...], StackState, Array], tuple[LSTMGates, ...]] | None
    loss: Callable[[Array, ArrayLike], Array]
    again: Callable[[int], np.ndarray] | None = None
    least: int = 1
    words: Words = CHARACTERS


class Reading(NamedTuple):
    """Store a model with the data that it has read.

    Attributes:
        reader: the model.
        streams: the data.
        xs: inputs, (T, B, E).
        states: of every layer after each step, leaves (T, B, H).
        gates: of every layer at each step, leaves (T, B, H); None for cells without them.
        losses: of every symbol, (T, B), or of every row, (B,).
        settings: of the diagnosis.
    """

    reader: Reader
    streams: Streams
    xs: Array
    states: StackState
    gates: tuple[LSTMGates, ...] | None
    losses: np.ndarray
    settings: Settings

    @property
    def whole(self) -> bool:
        """Return whether each row has one loss, rather than each symbol."""
        return self.reader.again is not None

    @property
    def perplexity(self) -> float:
        """Return the perplexity over all symbols."""
        return float(np.exp(self.losses.mean()))


def check(settings: Settings) -> None:
    """Check that settings are in range and agree with each other.

    Args:
        settings: of a diagnosis.

    Raises:
        ReportError: if they do not, in one line.
    """
    at_least = {"steps": 4, "streams": 1, "lags": 2, "ends": 1, "exponents": 1, "burn_in": 0}
    for name, least in {**at_least, "singular_values": 1, "seed": 0}.items():
        if getattr(settings, name) < least:
            raise ReportError(f"{name} must be at least {least}, got {getattr(settings, name)}")
    for name in ("lags", "burn_in"):
        if getattr(settings, name) >= settings.steps:
            raise ReportError(
                f"{name} must be less than steps={settings.steps}, got {getattr(settings, name)}"
            )


def read(reader: Reader, streams: Streams, xs: Array, settings: Settings) -> Reading:
    """Run a model over the streams side by side, keeping every state and gate.

    Args:
        reader: the model.
        streams: B rows of T symbols.
        xs: the inputs of the layers, (T, B, E).
        settings: stored in the reading.

    Returns:
        The reading, in float32 like the model.
    """
    step, params, gates = reader.step, reader.params, reader.gates
    begin = repeat(reader.start, xs.shape[1])
    _, kept = jax.jit(lambda: trace(step, params, xs, begin, gates=gates))()
    hs, targets = kept.states.h, streams.targets
    if reader.again is None:
        flat = hs.reshape(1, -1, hs.shape[-1])
        losses = reader.loss(flat, targets.T.reshape(-1)).reshape(hs.shape[:2])
    else:
        losses = jax.jit(reader.loss)(hs, targets)
    return Reading(reader, streams, xs, kept.states, kept.gates, np.asarray(losses), settings)


def repeat(state: S, count: int) -> S:
    """Repeat the state of one sequence for `count` sequences."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), state)
