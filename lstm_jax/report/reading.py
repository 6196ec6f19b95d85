"""A model reads rows of one length, and every state and gate is kept."""

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
    """A report that cannot be made as asked; one line."""


@dataclass(frozen=True)
class Settings:
    """How much is read, and how closely it is looked at."""

    steps: int = 120
    """Symbols read of each text; steps of other sequences, at most."""
    streams: int = 12
    """Texts read, at most. Of sequences with one loss each, `ends` times as many."""
    lags: int = 64
    """Steps that gradients are followed back, and the longest context."""
    ends: int = 4
    """Predictions of each text whose gradients are followed."""
    exponents: int = 12
    """Lyapunov exponents."""
    burn_in: int = 20
    """Steps before the exponents are counted."""
    singular_values: int = 8
    """Of the products of Jacobians."""
    seed: int = 0
    """Of the random directions that spectra are sought from."""


QUICK = Settings(steps=30, streams=3, lags=12, ends=2, exponents=3, burn_in=6, singular_values=3)


class Streams(NamedTuple):
    """What is read: rows of T symbols, or of T steps.

    Attributes:
        inputs: of texts ids, (B, T): the end, which opens a text, and all symbols but the last.
        targets: of texts ids, (B, T): what is predicted; else what each row is judged by, (B, ...).
        symbols: of texts the targets as they were written, B lists of T strings, "" being the end
            of a text; else the inputs so, or None where they cannot be written.
        notes: how the rows were made.
    """

    inputs: np.ndarray
    targets: np.ndarray
    symbols: list[list[str]] | None
    notes: list[str]


class Words(NamedTuple):
    """What the report calls the things of a model.

    Attributes:
        symbol: what is read at a step.
        row: what is read from its beginning to its end.
        judged: what one loss is of.
        unit: of a loss.
        formula: a loss, in HTML.
        spread: where the losses lie that are followed back.
        reads: what the loss reads, in HTML.
    """

    symbol: str = "character"
    row: str = "text"
    judged: str = "character"
    unit: str = "nats"
    formula: str = """\
<span class="maths"><i>L</i> = −ln <i>p</i>(<i>x</i><sub><i>t</i>+1</sub> |
<i>x</i><sub>≤<i>t</i></sub>)</span> of single predictions"""
    spread: str = "spread over each text"
    reads: str = "At lag 0 the loss reads the top layer's <i>h</i> alone."


CHARACTERS = Words()
"""Of a language model."""


class Reader(NamedTuple):
    """A model as the functions that `lstm_jax.diagnostics` takes.

    Attributes:
        step: `(params, state, x) -> state`, all layers.
        params: of every layer.
        start: the state before a row, zeros, without batch axes.
        gates: `(params, state, x) ->` the gates of every layer, for `trace`; None of cells that
            have no such gates.
        loss: `(hs, targets) -> (N,)`, the losses of predictions from what the top layer said
            before each, hs (T, N, H). Of a model that judges whole rows it takes all rows.
        again: `k ->` the losses (B,) of all rows after reading the last k steps of each; None where
            a loss follows every step.
        least: the smallest such k.
        words: what the report calls the things of this model.
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
    """A model that has read the streams.

    Attributes:
        reader: the model.
        streams: what it read.
        xs: inputs, (T, B, E).
        states: after each step, of every layer, leaves (T, B, H).
        gates: at each step, of every layer, leaves (T, B, H); None of cells without them.
        losses: of every symbol, (T, B), or of every row, (B,).
        settings: what was asked for.
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
        """Whether a loss is of a whole row, and not of each symbol."""
        return self.reader.again is not None

    @property
    def perplexity(self) -> float:
        """Of all symbols read."""
        return float(np.exp(self.losses.mean()))


def check(settings: Settings) -> None:
    """Refuse settings that do not fit one another.

    Args:
        settings: how much is to be read.

    Raises:
        ReportError: one line.
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
    """Read the streams side by side, keeping every state and gate.

    Args:
        reader: the model.
        streams: B rows of T symbols.
        xs: what the layers are given of them, (T, B, E).
        settings: kept beside what is found.

    Returns:
        The reading; float32, as the model is.
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
    """Give the state of one sequence for each of `count`."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), state)
