"""Stacked and bidirectional layers as one pure function, `run_layers`.

This module handles everything that acts on whole sequences between layers: directions and their
merging, residual and skip connections, and dropout of inputs, outputs and the sequences in between.
Options inside a layer belong to its parameters (`lstm_jax.cells`) or wrap its step
(`lstm_jax.regularize`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, TypedDict, Unpack

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lstm_jax import functional
from lstm_jax.cells import Cell, Step
from lstm_jax.engines import choose
from lstm_jax.engines.choose import Explanation, Implementation, RunOptions
from lstm_jax.recurrence import controls, tracing
from lstm_jax.regularize import check_rate, drop_state, drop_weights, dropout, zoneout
from lstm_jax.remat import Remat
from lstm_jax.spelling import named_options
from lstm_jax.trees import Tree

Merge: TypeAlias = Literal["concat", "sum"]
Connections: TypeAlias = Literal["residual", "skip"]
Outputs: TypeAlias = Literal["all", "last", "none"]
Keep: TypeAlias = Literal["h", "nothing", "everything"]


class Directions(NamedTuple):
    """Store the parameters, states or outputs of the two directions of a layer.

    Attributes:
        forward: value for the direction of time.
        backward: value for the opposite direction.
    """

    forward: Tree
    backward: Tree


class SequenceOptions(TypedDict, total=False):
    """Describe the options that `run_layers` passes to `lstm_jax.scan`; see there."""

    lengths: ArrayLike | None
    mask: ArrayLike | None
    resets: ArrayLike | None
    unroll: int | bool
    remat: Remat


class Around(NamedTuple):
    """Describe a wrapper that diagnostics put around the recurrence of every layer.

    Attributes:
        wrap: `step -> step`; the new step reads inputs `(x, beside_t)`.
        beside: a tuple over layers, leaves (T, ...), of arrays that accompany the inputs.
        start: a tuple over layers, with the structure of their states, that is added to the
            initial states.

    For bidirectional layers, the entries of both tuples are `Directions`.
    """

    wrap: Callable[[Step], Step]
    beside: tuple[Tree, ...]
    start: tuple[Tree, ...]


@dataclass(frozen=True)
class Noise:
    """Configure the noise that a key turns on.

    All rates are in [0, 1), and 0 turns the noise off. The same key draws the same masks.

    Attributes:
        dropout: dropout rate between layers.
        input_dropout: dropout rate of the inputs of the first layer.
        output_dropout: dropout rate of the outputs of the top layer.
        variational: whether the three above use one mask for all time steps (Gal & Ghahramani
            2016).
        state_dropout: dropout rate of h in the recurrent product, one mask for all time steps.
        weight_dropout: dropout rate of the recurrent kernel (AWD-LSTM).
        zoneout: probability that a unit keeps its old h.
        cell_zoneout: probability that a unit keeps its old c.
    """

    dropout: float = 0.0
    input_dropout: float = 0.0
    output_dropout: float = 0.0
    variational: bool = False
    state_dropout: float = 0.0
    weight_dropout: float = 0.0
    zoneout: float = 0.0
    cell_zoneout: float = 0.0

    def __post_init__(self):
        for name, rate in vars(self).items():
            if name != "variational":
                check_rate(name, rate)


SILENCE = Noise()


@named_options(SequenceOptions)
def run_layers(
    cell: Cell,
    layers: tuple[Tree, ...],
    xs: Array,
    state: tuple[Tree, ...] | None = None,
    *,
    initial: tuple[Tree, ...] | None = None,
    merge: Merge = "concat",
    connections: Connections | None = None,
    noise: Noise = SILENCE,
    key: Array | None = None,
    outputs: Outputs = "all",
    around: Around | None = None,
    implementation: Implementation | None = None,
    **options: Unpack[SequenceOptions],
) -> tuple[tuple[Tree, ...], Array]:
    """Run a stack of layers on a time-major batch.

    Args:
        cell: the recurrence of every layer, such as `lstm_jax.lstm_cell()`.
        layers: parameters, bottom first; `Directions` for bidirectional layers.
        xs: inputs (T, ..., D).
        state: a state for each layer, `Directions` for bidirectional layers; `initial` if None.
        initial: states at the start and at resets, in the same structure, leaves (H,) or (..., H);
            zeros if None.
        merge: how to combine h of the two directions: "concat", (..., 2H), or "sum".
        connections: "residual" adds the input of a layer to its output, from the second layer on,
            or from the first if the widths are equal. With "skip", every layer reads xs together
            with the h below, and the h of all layers are concatenated (Graves 2013).
        noise, key: noise, and the key that turns it on. Without a key there is no noise, and
            zoneout uses its expectation.
        outputs: h of "all" steps, (T, ..., ·), or of the "last" valid step of each row, (..., ·),
            which for the backward direction is the first in time; or "none".
        around: wrapper of every layer's step; the plain loop then runs it.
        implementation: as in `lstm_jax.lstm`; if None, the fastest for reverse mode.
        **options: `lengths`, `mask`, `resets`, `unroll`, `remat` of `lstm_jax.scan`.

    Returns:
        `(final_states, outputs)`: a tuple over layers, as `state`, and the outputs (None for
        "none"). A row of length 0 keeps its state, and its last output is h of that state.

    Raises:
        ValueError: if options cannot be combined, the number of states is not that of the layers,
            or merge, connections or outputs are unknown.
    """
    check(cell, layers, xs, merge, connections, noise, implementation)
    _check_choice("outputs", outputs, ("all", "last", "none"))
    if outputs == "last" and connections == "residual" and isinstance(layers[-1], Directions):
        raise ValueError(
            'outputs="last" and connections="residual" cannot be combined in a bidirectional '
            "layer, because its directions end at different steps"
        )
    shared = (0,) if noise.variational else ()
    in_key, out_key, *keys = _split(key, 2 + len(layers))
    xs = dropout(in_key, xs, noise.input_dropout, shared_axes=shared)
    finals, collected = [], []
    below = xs
    for index, layer_key in enumerate(keys):
        between_key, inner_key = _split(layer_key, 2)
        if index:
            below = dropout(between_key, below, noise.dropout, shared_axes=shared)
        reads = jnp.concatenate([xs, below], -1) if connections == "skip" and index else below
        top = index == len(layers) - 1
        keep: Keep = "h" if outputs == "all" or not top else "nothing"
        how = _How(cell, noise, keep, implementation, around and around.wrap, options)
        final, hs = _run_layer(how, _at(index, layers, state, initial, around), reads, inner_key)
        finals.append(final)
        ends = None if outputs == "all" else _merge(merge, _h(final))
        below = _merge(merge, hs) if ends is None or not top else ends
        if connections == "residual":
            if keep == "nothing":
                reads = last_valid(reads, lengths=options.get("lengths"), mask=options.get("mask"))
            below = below + reads if reads.shape == below.shape else below
        collected.append(below if ends is None else ends)
    if outputs == "none":
        nothing: Tree = None
        return tuple(finals), nothing
    result = jnp.concatenate(collected, -1) if connections == "skip" else below
    shared = shared if outputs == "all" else ()
    return tuple(finals), dropout(out_key, result, noise.output_dropout, shared_axes=shared)


@named_options(SequenceOptions)
def trace_layers(
    cell: Cell,
    layers: tuple[Tree, ...],
    xs: Array,
    state: tuple[Tree, ...] | None = None,
    *,
    initial: tuple[Tree, ...] | None = None,
    merge: Merge = "concat",
    **options: Unpack[SequenceOptions],
) -> tuple[tuple[Tree, ...], tuple[Tree, ...]]:
    """Run layers without noise and keep every state and, if the cell has `gates`, every gate.

    Args:
        cell, layers, xs, state, initial, merge, **options: as in `run_layers`, but without noise
            and connections.

    Returns:
        `(final_states, traces)`: tuples over layers, of final states and of `lstm_jax.Trace`;
        `Directions` for bidirectional layers.

    Raises:
        ValueError: as in `run_layers`.
    """
    check(cell, layers, xs, merge, None, SILENCE, None)
    how = _How(cell, SILENCE, "everything", "scan", None, options)
    finals, traces = [], []
    for index in range(len(layers)):
        final, kept = _run_layer(how, _at(index, layers, state, initial, None), xs, None)
        finals.append(final)
        traces.append(kept)
        xs = _merge(merge, map_directions(lambda kept: kept.states.h, kept))
    return tuple(finals), tuple(traces)


class Explanations(tuple[Explanation, ...]):
    """Store how each layer would run, bottom first, forward before backward; to be printed."""

    def __str__(self) -> str:
        if len(set(map(str, self))) == 1:
            return str(self[0])
        return "\n".join(f"{number}: {explanation}" for number, explanation in enumerate(self))


@named_options(SequenceOptions)
def explain_layers(
    cell: Cell,
    layers: tuple[Tree, ...],
    xs: Array,
    *,
    merge: Merge = "concat",
    connections: Connections | None = None,
    noise: Noise = SILENCE,
    implementation: Implementation | None = None,
    **options: Unpack[SequenceOptions],
) -> Explanations:
    """Report which implementation each layer would use, and why it cannot use the others.

    Args:
        cell, layers, xs, merge, connections, noise, implementation, **options: as in
            `run_layers`, but without a key.

    Returns:
        `Explanations` to print.

    Raises:
        TypeError, ValueError: as in `run_layers`.
    """
    check(cell, layers, xs, merge, connections, noise, implementation)
    how = _How(cell, noise, "h", implementation, None, options)
    explanations, below = [], xs
    for index, params in enumerate(layers):
        reads = jnp.concatenate([xs, below], -1) if connections == "skip" and index else below
        sides = params if isinstance(params, Directions) else (params,)
        widths, dtype = [], xs.dtype
        for number, side in enumerate(sides):
            call = _call(how, _Layer(side, None, None, None, None), reads, None, bool(number))
            explanations.append(choose.explain(implementation, *call))
            widths.append(call[3].h.shape[-1])
            dtype = call[3].h.dtype
        width = sum(widths) if merge == "concat" else widths[0]
        below = jnp.zeros((*xs.shape[:-1], width), dtype)  # only shapes and dtypes matter
    return Explanations(explanations)


def map_directions(function: Callable[[Tree], Tree], value: Tree) -> Tree:
    """Apply a function to both directions, or to the value of a layer with one direction."""
    return Directions(*map(function, value)) if isinstance(value, Directions) else function(value)


def last_valid(
    ys: Array, *, lengths: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Array:
    """Return the last valid step of each row of ys (T, ..., H): (..., H), or zeros without one."""
    valid, _ = controls(ys, lengths=lengths, mask=mask, resets=None, reverse=False)
    if ys.shape[0] == 0:
        return ys.sum(0)
    if valid is None:
        return ys[-1]
    times = jnp.arange(ys.shape[0]).reshape(-1, *[1] * (valid.ndim - 1))
    latest = jnp.where(valid, times, -1).max(0)
    chosen = (times == latest[None]).reshape(*valid.shape, *[1] * (ys.ndim - valid.ndim))
    return jnp.where(chosen, ys, 0).sum(0).astype(ys.dtype)


def check(
    cell: Cell,
    layers: tuple[Tree, ...],
    xs: Array | jax.ShapeDtypeStruct,
    merge: Merge,
    connections: Connections | None,
    noise: Noise,
    implementation: Implementation | None,
) -> None:
    """Check the options of `run_layers`.

    Raises:
        TypeError: if the layers are not a tuple.
        ValueError: if options are unknown or cannot be combined; the message names them.
    """
    _check_choice("merge", merge, ("concat", "sum"))
    _check_choice("connections", connections, (None, "residual", "skip"))
    if not isinstance(layers, (tuple, list)) or isinstance(layers, Directions):
        raise TypeError(
            f"layers must be a tuple of parameters, bottom first, got one {type(layers).__name__}; "
            "for one layer pass (params,)"
        )
    if not layers:
        raise ValueError("there are no layers")
    if noise.state_dropout and not cell.masks_h:
        raise ValueError(
            f"state_dropout and {cell.name} cannot be combined, because its h is also its memory; "
            "use weight_dropout or zoneout"
        )
    if noise.cell_zoneout:
        params = layers[0].forward if isinstance(layers[0], Directions) else layers[0]
        if not hasattr(jax.eval_shape(cell.zero, params, xs), "c"):
            raise ValueError("cell_zoneout needs a cell with a state c; use zoneout")
    inside = [n for n in ("state_dropout", "zoneout", "cell_zoneout") if getattr(noise, n)]
    if inside and implementation not in (None, "scan"):
        raise ValueError(
            f'{inside[0]} and implementation="{implementation}" cannot be combined; use "scan"'
        )


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


# --- one layer -----------------------------------------------------------------------------------


class _How(NamedTuple):
    """Store the settings shared by all layers and both directions."""

    cell: Cell
    noise: Noise
    keep: Keep
    implementation: Implementation | None
    wrap: Callable[[Step], Step] | None
    options: SequenceOptions


class _Layer(NamedTuple):
    """Store the arrays of one layer, or of one of its directions."""

    params: Tree
    state: Tree | None
    initial: Tree | None
    beside: Tree | None
    start: Tree | None


def _at(
    index: int,
    layers: tuple[Tree, ...],
    state: tuple[Tree, ...] | None,
    initial: tuple[Tree, ...] | None,
    around: Around | None,
) -> _Layer:
    """Select the arrays of one layer."""
    beside, start = (None, None) if around is None else (around.beside, around.start)
    arguments = {"state": state, "initial": initial, "beside": beside, "start": start}
    for name, values in arguments.items():
        if values is None:
            continue
        _check_values(name, values, layers)
    selected = (None if values is None else values[index] for values in arguments.values())
    return _Layer(layers[index], *selected)


def _check_values(name: str, values: Tree, layers: tuple[Tree, ...]) -> None:
    """Raise a ValueError if the values are not a tuple over layers, with the same directions."""
    count = len(layers)
    expected = f"{name} must be a tuple of {count}, one for each layer"
    if hasattr(values, "_fields"):
        single = count == 1 and not isinstance(layers[0], Directions)
        advice = f"; pass ({name},)" if single else ""
        raise ValueError(f"{expected}, got one {type(values).__name__}{advice}")
    if hasattr(values, "shape"):
        raise ValueError(f"{expected}, got an array of shape {jnp.shape(values)}")
    if len(values) == 2 and name in ("state", "initial") and hasattr(values[0], "shape"):
        raise ValueError(
            f"{expected}, such as LSTMState(h, c), got arrays; PyTorch's (h0, c0) is "
            "tuple(map(LSTMState, h0, c0))"
        )
    if len(values) != count:
        raise ValueError(f"{expected}, got {len(values)}")
    for index, (value, params) in enumerate(zip(values, layers, strict=True)):
        if isinstance(params, Directions) and (hasattr(value, "h") or len(value) != 2):
            raise ValueError(f"{name}[{index}] must be a pair (forward, backward)")


def _run_layer(how: _How, layer: _Layer, xs: Array, key: Array | None) -> tuple[Tree, Tree]:
    """Run one layer in one or both directions; return the final states and the kept arrays."""
    if not isinstance(layer.params, Directions):
        return _direction(how, layer, xs, key)
    keys = _split(key, 2)
    sides = [_Layer(*(None if part is None else part[side] for part in layer)) for side in (0, 1)]
    forward, kept = _direction(how, sides[0], xs, keys[0])
    backward, kept_backward = _direction(how, sides[1], xs, keys[1], reverse=True)
    return Directions(forward, backward), Directions(kept, kept_backward)


def _direction(
    how: _How, layer: _Layer, xs: Array, key: Array | None, reverse: bool = False
) -> tuple[Tree, Tree]:
    """Run one direction of one layer, with the noise inside it."""
    call = _call(how, layer, xs, key, reverse)
    cell, params, inputs, state, options = call
    chosen = choose.choose(how.implementation, *call)
    if how.keep == "everything":
        options["emit"] = tracing(cell.gates)
    elif how.keep == "nothing" and chosen == "scan":
        options["emit"] = None
    final, kept = functional.dispatch(chosen, cell, params, inputs, state, options)
    return final, None if how.keep == "nothing" else kept


def _call(
    how: _How, layer: _Layer, xs: Array, key: Array | None, reverse: bool
) -> tuple[Cell, Tree, Tree, Tree, RunOptions]:
    """Return cell, parameters, inputs, state and options of one direction of one layer."""
    cell, noise = how.cell, how.noise
    state, initial = functional.start(cell, layer.params, xs, layer.state, layer.initial)
    weight_key, state_key, zone_key = _split(key, 3)
    params = drop_weights(weight_key, layer.params, noise.weight_dropout)
    step, inputs = cell.step, xs
    if noise.state_dropout and state_key is not None:
        mask = dropout(state_key, jnp.ones_like(state.h), noise.state_dropout)
        step, params = drop_state(step), (params, mask)
    if noise.zoneout or noise.cell_zoneout:
        step = zoneout(step, _rates(state, noise))
        inputs = xs, None if zone_key is None else jax.random.split(zone_key, len(xs))
    if how.wrap is not None:
        step, inputs = how.wrap(step), (inputs, layer.beside)
        state = jax.tree.map(jnp.add, state, layer.start)
    if step is not cell.step:
        cell = cell._replace(step=step, affine=None, textbook=None)
    options: RunOptions = {**how.options, "reverse": reverse}
    if initial is not None:
        options["initial"] = initial
    return cell, params, inputs, state, options


def _rates(state: Tree, noise: Noise) -> Tree:
    """Return the zoneout rate of every leaf of a state: for h, for c, and 0 for other fields."""
    known = {"h": noise.zoneout, "c": noise.cell_zoneout}

    def rate(path: tuple[Tree, ...], _: Array) -> float:
        return known.get(jax.tree_util.keystr(path[:1], simple=True), 0.0)

    return jax.tree_util.tree_map_with_path(rate, state)


def _merge(merge: Merge, hs: Tree) -> Array:
    if not isinstance(hs, Directions):
        return hs
    return jnp.concatenate(hs, -1) if merge == "concat" else hs.forward + hs.backward


def _h(state: Tree) -> Tree:
    return map_directions(lambda state: state.h, state)


def _split(key: Array | None, count: int) -> list[Array | None]:
    return [None] * count if key is None else list(jax.random.split(key, count))
