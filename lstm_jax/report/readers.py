"""From models to the functions that `lstm_jax.diagnostics` takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.cells import Cell
from lstm_jax.models.base import Model
from lstm_jax.models.char_lm import CharLM
from lstm_jax.models.losses import tied_log_probabilities
from lstm_jax.models.parts import Heard, answer, listen
from lstm_jax.nn.recurrent import Recurrent
from lstm_jax.recurrence import StackState
from lstm_jax.report.reading import Reader, ReportError, Streams, Words
from lstm_jax.report.rows import Rows
from lstm_jax.trees import Tree


class Prepared(NamedTuple):
    """A `reader`, the `streams` that it is to read, and `xs`, what its layers are given of them."""

    reader: Reader
    streams: Streams
    xs: Array


def of_texts(network: CharLM, streams: Streams, unit: str = "character") -> Prepared:
    """Prepare a language model, whose every symbol is a prediction.

    Args:
        network: of any number of layers.
        streams: rows of symbols.
        unit: what a symbol is.

    Returns:
        Its functions, and its parameters as they are now.
    """
    embedding, bias = network.embedding[...], network.output_bias[...]
    projection = network.projection[...]

    def loss(hs: Array, targets: ArrayLike) -> Array:
        said = hs[-1] @ projection
        return -tied_log_probabilities(said, embedding, bias, jnp.asarray(targets))

    step, gates = _walks(network.lstm.cell, network.lstm.in_features)
    start, words = _start(network.lstm), Words(symbol=unit, judged=unit)
    reader = Reader(step, network.lstm.params, start, gates, loss, words=words)
    return Prepared(reader, streams, embedding[streams.inputs.T])


def of_rows(network: Model[Any], rows: Rows) -> Prepared:
    """Prepare a model that judges each row as a whole.

    Of a bidirectional model the recurrence is that of the forward direction; what the backward one
    says stands beside its inputs, as though it were given. Likewise of a model that reads each row
    upside down as well: that reading is held still.

    Args:
        network: of any kind, with one recurrence.
        rows: what it reads, and what it is judged by.

    Returns:
        Its functions, and its parameters as they are now.

    Raises:
        ReportError: a model that does not read each row once, from the zero state.
    """
    inputs, count = jnp.asarray(rows.inputs), len(rows.inputs)
    try:
        heard = listen(network, lambda model: rows.outputs(model, inputs))
    except ValueError as error:
        raise ReportError(f"this model cannot be diagnosed: {error}") from None
    layer, both = heard.layer, heard.layer.bidirectional
    if layer.connections is not None or layer.merge != "concat":
        raise ReportError("layers with connections, or whose directions are summed, are not read")
    notes = list(rows.notes)
    if both:
        notes.append(
            "both directions of time are read; this is about the forward one, and what the "
            "backward one says is held still"
        )
    if len(heard.xs) > count:
        notes.append(
            f"each {rows.kind} is read upside down too; this is about the upright reading, and the "
            "other is held still"
        )

    def loss(hs: Array, targets: ArrayLike) -> Array:
        outputs = answer(network, lambda model: rows.outputs(model, inputs), *_said(heard, hs))
        return rows.loss(outputs, jnp.asarray(targets))

    @jax.jit
    def losses(some: Array) -> Array:
        return rows.loss(rows.outputs(network, some), jnp.asarray(rows.targets))

    def again(steps: int) -> np.ndarray:
        return np.asarray(losses(inputs[:, -steps:]))

    step, gates = _walks(layer.cell, layer.in_features)
    words = Words(
        symbol="step",
        row=rows.kind,
        judged=rows.kind,
        unit=rows.unit,
        formula=f"<i>L</i> is the loss ({rows.unit}) of single {rows.kind}s",
        spread="each judged at its end",
        reads=f"Lag 0 is the last step of a {rows.kind}. Where a model pools its steps the loss "
        "reads them all, and a state far back is felt without a way through the steps between.",
    )
    params = tuple(one.forward if both else one for one in layer.params)
    reader = Reader(step, params, _start(layer), gates, loss, again, rows.least, words)
    streams = Streams(rows.inputs, rows.targets, rows.symbols, notes)
    return Prepared(reader, streams, _given(heard)[:, :count])


def _walks(cell: Cell, width: int) -> tuple[Any, Any]:
    """`step` and `gates` of layers of a cell, over what `_given` gives.

    Args:
        cell: of every layer.
        width: of what the first one reads.
    """

    def walk(params: tuple[Tree, ...], states: StackState, x: Array) -> list[tuple[Array, Tree]]:
        below, beside = x[..., :width], x[..., width:]
        each, found = beside.shape[-1] // max(len(params) - 1, 1), []
        for k, (own, state) in enumerate(zip(params, states, strict=True)):
            found.append((below, cell.step(own, state, below)))
            held = beside[..., k * each : (k + 1) * each]
            below = jnp.concatenate([found[-1][1].h, held], -1)
        return found

    def step(params: tuple[Tree, ...], states: StackState, x: Array) -> StackState:
        return StackState(new for _, new in walk(params, states, x))

    look = cell.gates
    if look is None:
        return step, None

    def gates(params: tuple[Tree, ...], states: StackState, x: Array) -> tuple[Tree, ...]:
        reads = (below for below, _ in walk(params, states, x))
        return tuple(look(*one) for one in zip(params, states, reads, strict=True))

    return step, gates


def _start(layer: Recurrent) -> StackState:
    """The state before a row, of the forward direction, without batch axes."""
    states = layer.initial_state(1)
    forward = (one.forward if layer.bidirectional else one for one in states)
    return StackState(jax.tree.map(lambda leaf: leaf[0], state) for state in forward)


def _given(heard: Heard[Any]) -> Array:
    """What the layers read, and beside it what the backward direction of each below the top said.

    Returns:
        (T, B, D + (layers - 1) · H), or (T, B, D) of one direction.
    """
    given = [heard.xs]
    if heard.layer.bidirectional:
        _, traces = heard.layer.trace(heard.xs)
        given += [one.backward.states.h for one in traces[:-1]]
    return jnp.swapaxes(jnp.concatenate(given, -1), 0, 1)


def _said(heard: Heard[Any], hs: Array) -> tuple[tuple[Tree, ...], Array]:
    """What the recurrence is to have ended in and given, hs (T, B, H) being its forward h.

    Returns:
        `(final, hs)`: a tuple over layers, and (B', T, H').
    """
    count, width = hs.shape[1], hs.shape[-1]
    forward = jnp.swapaxes(hs, 0, 1)
    upright = jnp.concatenate([forward, heard.hs[:count, :, width:]], -1)
    everything = jnp.concatenate([upright, heard.hs[count:]])
    last, top = everything[:, -1, :width], heard.final[-1]
    if heard.layer.bidirectional:
        top = top._replace(forward=top.forward._replace(h=last))
    else:
        top = top._replace(h=last)
    return (*heard.final[:-1], top), everything
