"""A character model reads texts, and every state and gate is kept.

The bridge from `CharLM` to `lstm_jax.diagnostics`, and from texts to rows of one length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.cells import LSTMGates, LSTMParams, Step, lstm_gates, lstm_step
from lstm_jax.errors import UserError
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.losses import tied_log_probabilities
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.recurrence import StackState, stack, trace

S = TypeVar("S")

MAX_UNKNOWN = 0.2  # share of the characters; with more, it is not a text for this model


class ReportError(UserError, ValueError):
    """A report that cannot be made as asked; one line."""


@dataclass(frozen=True)
class Settings:
    """How much is read, and how closely it is looked at."""

    steps: int = 120
    """Symbols read of each text."""
    streams: int = 12
    """Texts read, at most."""
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
    """What is read: rows of T symbols.

    Attributes:
        inputs: ids, (B, T): the end, which opens a text, and all symbols but the last.
        targets: ids, (B, T): what is predicted.
        symbols: the targets as they were written, B lists of T strings; "" is the end of a text.
        notes: how the rows were made.
    """

    inputs: np.ndarray
    targets: np.ndarray
    symbols: list[list[str]]
    notes: list[str]


class Reader(NamedTuple):
    """A `CharLM` as the functions that `lstm_jax.diagnostics` takes.

    Attributes:
        step: `(params, state, x) -> state`, a stack of LSTMs.
        params: of every layer.
        start: the state before a text, zeros, without batch axes.
        embed: ids (...) -> inputs (..., E).
        nats: `(h, targets) -> -ln p(target)`, of the top layer's h (..., H) and ids (...).
        gates: `(params, state, x) ->` the gates of every layer, for `trace`.
    """

    step: Step[tuple[LSTMParams, ...], StackState, Array]
    params: tuple[LSTMParams, ...]
    start: StackState
    embed: Callable[[np.ndarray], Array]
    nats: Callable[[Array, ArrayLike], Array]
    gates: Callable[[tuple[LSTMParams, ...], StackState, Array], tuple[LSTMGates, ...]]


class Reading(NamedTuple):
    """A model that has read the streams.

    Attributes:
        reader: the model.
        streams: what it read.
        xs: inputs, (T, B, E).
        states: after each step, of every layer, leaves (T, B, H).
        gates: at each step, of every layer, leaves (T, B, H).
        nats: -ln p of every symbol, (T, B).
        settings: what was asked for.
    """

    reader: Reader
    streams: Streams
    xs: Array
    states: StackState
    gates: tuple[LSTMGates, ...]
    nats: np.ndarray
    settings: Settings

    @property
    def perplexity(self) -> float:
        """Of all symbols read."""
        return float(np.exp(self.nats.mean()))


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


def reader(network: CharLM) -> Reader:
    """Give a model as the functions that the diagnostics take.

    Args:
        network: of any number of layers.

    Returns:
        Its functions, and its parameters as they are now.
    """
    layers = network.lstm.params
    embedding, bias = network.embedding[...], network.output_bias[...]
    projection = network.projection[...]
    start = StackState(jax.tree.map(lambda leaf: leaf[0], s) for s in network.initial_state(1))

    def nats(h: Array, targets: ArrayLike) -> Array:
        return -tied_log_probabilities(h @ projection, embedding, bias, jnp.asarray(targets))

    def gates(params: tuple[LSTMParams, ...], state: StackState, x: Array) -> tuple[LSTMGates, ...]:
        found = []
        for layer, old in zip(params, state, strict=True):
            found.append(lstm_gates(layer, old, x))
            x = lstm_step(layer, old, x).h
        return tuple(found)

    step = stack(*[lstm_step] * len(layers))
    return Reader(step, layers, start, lambda ids: embedding[ids], nats, gates)


def make_streams(vocabulary: Vocabulary, texts: Sequence[str], settings: Settings) -> Streams:
    """Make texts into rows of `settings.steps` symbols to predict, the end of a text being one.

    A longer text is cut. Shorter ones are joined, each closed by its end, and the state is
    carried from one to the next.

    Args:
        vocabulary: the model's.
        texts: without line breaks.
        settings: `steps` of a row, and at most `streams` rows.

    Returns:
        The rows, and notes on how they were made.

    Raises:
        ReportError: no row can be filled, or the model does not know the characters.
    """
    characters = sum(len(text) for text in texts)
    unknown = sum(int((vocabulary.encode(t) == vocabulary.unknown_id).sum()) for t in texts)
    if unknown > MAX_UNKNOWN * characters:
        raise ReportError(
            f"the model does not know {unknown:,} of the {characters:,} characters: give texts "
            "such as it was trained on"
        )
    rows, row, joined, cut = [], [], 0, 0
    for text in texts:
        if len(rows) == settings.streams:
            break
        joined += bool(row)
        row += [*text, ""]
        if len(row) >= settings.steps:
            cut += len(row) > settings.steps
            rows.append(row[: settings.steps])
            row = []
    if not rows:
        raise ReportError(
            f"the texts hold {len(row):,} symbols with their ends, and {settings.steps} are "
            "needed: give more of them"
        )
    notes = [f"{len(rows)} rows of {settings.steps} symbols, from {len(texts):,} texts"]
    if joined:
        notes.append(
            f"{joined:,} texts were joined to the one before, an end between them; the state is "
            "carried over, which the model may never have met in training"
        )
    if cut:
        notes.append(f"{cut:,} rows were cut to {settings.steps} symbols")
    if unknown:
        notes.append(f"{unknown:,} of the characters unknown to the model, and read as such")
    inputs = np.stack([encode(vocabulary, ["", *row[:-1]]) for row in rows])
    targets = np.stack([encode(vocabulary, row) for row in rows])
    return Streams(inputs, targets, rows, notes)


def encode(vocabulary: Vocabulary, symbols: Sequence[str]) -> np.ndarray:
    """Give the ids of characters and, where a symbol is "", of the end: int32 (T,)."""
    ids = [vocabulary.encode(s)[0] if s else vocabulary.end_id for s in symbols]
    return np.array(ids, np.int32)


def read(reader: Reader, streams: Streams, settings: Settings) -> Reading:
    """Read the streams side by side, keeping every state and gate.

    Args:
        reader: the model.
        streams: B rows of T symbols.
        settings: kept beside what is found.

    Returns:
        The reading; float32, as the model is.
    """
    step, params, start, embed, nats, gates = reader
    xs = embed(streams.inputs.T)
    begin = repeat(start, len(streams.inputs))
    _, kept = jax.jit(lambda: trace(step, params, xs, begin, gates=gates))()
    losses = np.asarray(nats(kept.states.h, streams.targets.T))
    return Reading(reader, streams, xs, kept.states, kept.gates, losses, settings)


def repeat(state: S, count: int) -> S:
    """Give the state of one sequence for each of `count`."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), state)
