"""Adapters from models of every kind to the functions that `lstm_jax.diagnostics` needs."""

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
    """Store a `reader`, the `streams` that it will read, and `xs`, the inputs of its layers."""

    reader: Reader
    streams: Streams
    xs: Array


def of_texts(network: CharLM, streams: Streams, unit: str = "character") -> Prepared:
    """Prepare a language model, which predicts every symbol.

    Args:
        network: with any number of layers.
        streams: rows of symbols.
        unit: the name of a symbol.

    Returns:
        The functions of the model, with its current parameters.

    Raises:
        ReportError: if the layers have connections.
    """
    if network.lstm.connections is not None:
        raise ReportError("this model cannot be diagnosed: its layers have connections")
    embedding, bias = network.embedding[...], network.output_bias[...]
    projection = network.projection[...]

    def loss(hs: Array, targets: ArrayLike) -> Array:
        features = hs[-1] @ projection
        return -tied_log_probabilities(features, embedding, bias, jnp.asarray(targets))

    step, gates = _walks(network.lstm.cell, network.lstm.in_features)
    start, words = _start(network.lstm), Words(symbol=unit, judged=unit)
    reader = Reader(step, network.lstm.params, start, gates, loss, words=words)
    return Prepared(reader, streams, embedding[streams.inputs.T])


def of_rows(network: Model[Any], rows: Rows) -> Prepared:
    """Prepare a model that has one loss for each row.

    For a bidirectional model, the recurrence is the forward direction, and the outputs of the
    backward direction are held constant beside its inputs. If a model also reads each row upside
    down, that reading is held constant too.

    Args:
        network: a model of any kind with one recurrence.
        rows: the sequences and their targets.

    Returns:
        The functions of the model, with its current parameters.

    Raises:
        ReportError: if the model does not read each row once, from the zero state.
    """
    inputs, count = jnp.asarray(rows.inputs), len(rows.inputs)
    try:
        heard = listen(network, lambda model: rows.outputs(model, inputs))
    except ValueError as error:
        raise ReportError(f"this model cannot be diagnosed: {error}") from None
    layer, both = heard.layer, heard.layer.bidirectional
    if layer.connections is not None or layer.merge != "concat":
        raise ReportError(
            "this model cannot be diagnosed: its layers have connections, or sum their directions"
        )
    notes = list(rows.notes)
    if both:
        notes.append(
            "the model reads in both directions of time; the report is about the forward one, with "
            "the outputs of the backward one held constant"
        )
    if len(heard.xs) > count:
        notes.append(
            f"the model also reads each {rows.kind} upside down; the report is about the upright "
            "reading, with the other one held constant"
        )

    def loss(hs: Array, targets: ArrayLike) -> Array:
        replaced = _replaced(heard, hs)
        outputs = answer(network, lambda model: rows.outputs(model, inputs), *replaced)
        return rows.loss(outputs, jnp.asarray(targets))

    @jax.jit
    def losses(inputs: Array) -> Array:
        return rows.loss(rows.outputs(network, inputs), jnp.asarray(rows.targets))

    def again(steps: int) -> np.ndarray:
        return np.asarray(losses(inputs[:, -steps:]))

    step, gates = _walks(layer.cell, layer.in_features)
    words = Words(
        symbol="step",
        row=rows.kind,
        judged=rows.kind,
        unit=rows.unit,
        formula=f"<i>L</i> is the loss ({rows.unit}) of single {rows.kind}s",
        spread="each computed at its end",
        reads=f"Lag 0 is the last step of a {rows.kind}. If a model pools its steps, the loss "
        "reads them all, so a state far back has an influence that bypasses the steps in between.",
    )
    params = tuple(own.forward if both else own for own in layer.params)
    reader = Reader(step, params, _start(layer), gates, loss, again, rows.least, words)
    streams = Streams(rows.inputs, rows.targets, rows.symbols, notes)
    return Prepared(reader, streams, _inputs(heard)[:, :count])


def _walks(cell: Cell, width: int) -> tuple[Any, Any]:
    """Build `step` and `gates` of a stack of layers, over the inputs from `_inputs`.

    Args:
        cell: of every layer.
        width: of the inputs of the first layer.
    """

    def walk(params: tuple[Tree, ...], states: StackState, x: Array) -> list[tuple[Array, Tree]]:
        below, constants = x[..., :width], x[..., width:]
        size, results = constants.shape[-1] // max(len(params) - 1, 1), []
        for k, (own, state) in enumerate(zip(params, states, strict=True)):
            results.append((below, cell.step(own, state, below)))
            backward = constants[..., k * size : (k + 1) * size]
            below = jnp.concatenate([results[-1][1].h, backward], -1)
        return results

    def step(params: tuple[Tree, ...], states: StackState, x: Array) -> StackState:
        return StackState(new for _, new in walk(params, states, x))

    look = cell.gates
    if look is None:
        return step, None

    def gates(params: tuple[Tree, ...], states: StackState, x: Array) -> tuple[Tree, ...]:
        inputs = (below for below, _ in walk(params, states, x))
        return tuple(look(*layer) for layer in zip(params, states, inputs, strict=True))

    return step, gates


def _start(layer: Recurrent) -> StackState:
    """Return the initial state of the forward direction, without batch axes."""
    states = layer.initial_state(1)
    forward = (state.forward if layer.bidirectional else state for state in states)
    return StackState(jax.tree.map(lambda leaf: leaf[0], state) for state in forward)


def _inputs(heard: Heard[Any]) -> Array:
    """Return the layers' inputs, with the backward outputs of every layer below the top.

    Returns:
        (T, B, D + (layers - 1) · H), or (T, B, D) for a single direction.
    """
    inputs = [heard.xs]
    if heard.layer.bidirectional:
        _, traces = heard.layer.trace(heard.xs)
        inputs += [layer.backward.states.h for layer in traces[:-1]]
    return jnp.swapaxes(jnp.concatenate(inputs, -1), 0, 1)


def _replaced(heard: Heard[Any], hs: Array) -> tuple[tuple[Tree, ...], Array]:
    """Return the results of the recurrence with its forward h replaced by hs (T, B, H).

    Returns:
        `(final, hs)`: a tuple over layers, and (B', T, H').
    """
    count, width = hs.shape[1], hs.shape[-1]
    forward = jnp.swapaxes(hs, 0, 1)
    upright = jnp.concatenate([forward, heard.hs[:count, :, width:]], -1)
    outputs = jnp.concatenate([upright, heard.hs[count:]])
    last, top = outputs[:, -1, :width], heard.final[-1]
    if heard.layer.bidirectional:
        top = top._replace(forward=top.forward._replace(h=last))
    else:
        top = top._replace(h=last)
    return (*heard.final[:-1], top), outputs
