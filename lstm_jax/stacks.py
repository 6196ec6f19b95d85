"""Layers over one another and in both directions, as one pure function: `run_layers`.

What is here acts on whole sequences between layers: directions and their merging, residual and
skip connections, dropout of inputs, outputs and what goes between. What acts inside a layer is the
parameters' (`lstm_jax.cells`) or a wrapper of its step (`lstm_jax.regularize`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax import functional
from lstm_jax.cells import GRUState
from lstm_jax.engines import choose as implementations
from lstm_jax.functional import Cell
from lstm_jax.recurrence import controls, initial_like, trace
from lstm_jax.regularize import check_rate, drop_state, drop_weights, dropout, zoneout

Merge = Literal["concat", "sum"]
Connections = Literal["residual", "skip"]
Outputs = Literal["all", "last", "none"]


class Directions(NamedTuple):
    """What belongs to the two directions of a layer: parameters, states or outputs."""

    forward: Any
    backward: Any


@dataclass(frozen=True)
class Noise:
    """Rates of what a key turns on; all in [0, 1), 0 is off. The same key gives the same masks.

    Attributes:
        dropout: of what goes from a layer to the next.
        input_dropout: of what the first layer reads.
        output_dropout: of the top layer's outputs.
        variational: one mask over all time steps for the three above (Gal & Ghahramani 2016).
        state_dropout: of h in the recurrent product, one mask over all time steps.
        weight_dropout: of the recurrent kernel (AWD-LSTM).
        zoneout: probability that a unit keeps its old h.
        cell_zoneout: the same for c.
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


def run_layers(
    cell: Cell,
    layers: tuple[Any, ...],
    xs: Array,
    state: tuple[Any, ...] | None = None,
    *,
    initial: tuple[Any, ...] | None = None,
    merge: Merge = "concat",
    connections: Connections | None = None,
    noise: Noise = SILENCE,
    key: Array | None = None,
    outputs: Outputs = "all",
    implementation: functional.Implementation | None = None,
    **options: Any,
) -> tuple[tuple[Any, ...], Any]:
    """Run layers over one another on a time-major batch.

    Args:
        cell: what every layer is, such as `functional.lstm_cell()`.
        layers: parameters, bottom first; `Directions` of two where a layer is bidirectional.
        xs: (T, ..., D).
        state: a state for each layer, `Directions` of two where bidirectional; `initial` if None.
        initial: states at the start and at resets, likewise, leaves (H,) or (..., H); zeros if
            None.
        merge: of two directions' h: "concat", (..., 2H), or "sum".
        connections: "residual" adds what a layer reads to what it gives, from the second layer
            on (where the widths are equal, from the first); "skip" lets every layer read xs
            beside the h below, and gives all layers' h side by side (Graves 2013).
        noise, key: what the key turns on; without a key there is no noise, and zoneout is its
            expectation.
        outputs: h of "all" steps, (T, ..., ·); of each row's "last" valid step, (..., ·), which for
            the backward direction is the first in time; or "none".
        implementation: as in `lstm_jax.lstm`; None is the fastest for reverse mode.
        **options: `lengths`, `mask`, `resets`, `unroll`, `remat` of `lstm_jax.scan`.

    Returns:
        `(final_states, outputs)`: a tuple over layers, as `state`. A row of length 0 keeps its
        state, and its last output is that of no step: h of the state.

    Raises:
        ValueError: options that do not go together, named; another number of states than layers;
            an unknown merge, connections or outputs.
    """
    check(cell, layers, merge, connections, noise, implementation)
    _check_choice("outputs", outputs, ("all", "last", "none"))
    states, initials = (_each(name, s, layers) for name, s in
                        (("state", state), ("initial", initial)))  # fmt: skip
    if outputs == "last" and connections == "residual" and isinstance(layers[-1], Directions):
        raise ValueError(
            'outputs="last" and connections="residual" of a bidirectional layer do not go '
            "together: its directions end at different steps"
        )
    shared = (0,) if noise.variational else ()
    in_key, out_key, *keys = _split(key, 2 + len(layers))
    xs = dropout(in_key, xs, noise.input_dropout, shared_axes=shared)
    finals, given = [], []
    below: Any = xs
    for index, (params, layer_key) in enumerate(zip(layers, keys, strict=True)):
        between_key, inner_key = _split(layer_key, 2)
        if index:
            below = dropout(between_key, below, noise.dropout, shared_axes=shared)
        reads = jnp.concatenate([xs, below], -1) if connections == "skip" and index else below
        top = index == len(layers) - 1
        final, hs = _layer(
            cell,
            params,
            reads,
            states[index],
            initials[index],
            noise=noise,
            key=inner_key,
            merge=merge,
            implementation=implementation,
            emits=outputs == "all" or not top,
            **options,
        )
        finals.append(final)
        at_end = None if outputs == "all" else _merge(merge, _h(final))
        below = at_end if top and outputs != "all" else hs
        if connections == "residual":
            if top and outputs != "all":
                reads = last_valid(reads, **{k: options.get(k) for k in ("lengths", "mask")})
            below = below + reads if reads.shape == below.shape else below
        given.append(below if at_end is None else at_end)
    if outputs == "none":
        return tuple(finals), None
    result = jnp.concatenate(given, -1) if connections == "skip" else below
    shared = shared if outputs == "all" else ()
    return tuple(finals), dropout(out_key, result, noise.output_dropout, shared_axes=shared)


def trace_layers(
    cell: Cell,
    layers: tuple[Any, ...],
    xs: Array,
    state: tuple[Any, ...] | None = None,
    *,
    initial: tuple[Any, ...] | None = None,
    merge: Merge = "concat",
    **options: Any,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """`run_layers` that keeps every state, and every gate where the cell has `gates`.

    Args:
        cell, layers, xs, state, initial, merge, **options: as in `run_layers`, which has noise
            and connections too.

    Returns:
        `(final_states, traces)`: tuples over layers, of final states and of `lstm_jax.Trace`;
        `Directions` of two where bidirectional.
    """
    check(cell, layers, merge, None, SILENCE, None)
    states, initials = (_each(name, s, layers) for name, s in
                        (("state", state), ("initial", initial)))  # fmt: skip
    finals, traces = [], []
    for params, start, at_reset in zip(layers, states, initials, strict=True):

        def one(params, start, at_reset, reverse, xs=xs):
            start, more = _starts(cell, params, xs, start, at_reset)
            return trace(
                cell.step, params, xs, start, gates=cell.gates, reverse=reverse, **more, **options
            )

        if isinstance(params, Directions):
            starts, resets = _pair(start), _pair(at_reset)
            forward = one(params.forward, starts.forward, resets.forward, False)
            backward = one(params.backward, starts.backward, resets.backward, True)
            final, kept = (Directions(*pair) for pair in zip(forward, backward, strict=True))
        else:
            final, kept = one(params, start, at_reset, False)
        finals.append(final)
        traces.append(kept)
        xs = _merge(merge, map_directions(lambda kept: kept.states.h, kept))
    return tuple(finals), tuple(traces)


def map_directions(function: Any, of: Any) -> Any:
    """The function of both directions, or of the one that there is."""
    return Directions(*map(function, of)) if isinstance(of, Directions) else function(of)


def last_valid(ys: Array, *, lengths: Array | None = None, mask: Array | None = None) -> Array:
    """The last valid step of each row of ys (T, ..., H): (..., H); zeros where there is none."""
    valid, _ = controls(ys, lengths=lengths, mask=mask, resets=None, reverse=False)
    if valid is None:
        return ys[-1]
    times = jnp.arange(len(ys)).reshape(-1, *[1] * (valid.ndim - 1))
    latest = jnp.where(valid, times, -1).max(0)
    chosen = (times == latest).reshape(*valid.shape, *[1] * (ys.ndim - valid.ndim))
    return jnp.where(chosen, ys, 0).sum(0).astype(ys.dtype)


def check(
    cell: Cell,
    layers: tuple[Any, ...],
    merge: Merge,
    connections: Connections | None,
    noise: Noise,
    implementation: functional.Implementation | None,
) -> None:
    """Raise a ValueError that names options which do not go together, or are unknown."""
    _check_choice("merge", merge, ("concat", "sum"))
    _check_choice("connections", connections, (None, "residual", "skip"))
    if not layers:
        raise ValueError("there are no layers")
    if noise.state_dropout and cell.state_type is GRUState:
        raise ValueError(
            "state_dropout and a GRU do not go together: its h is its memory too; use "
            "weight_dropout or zoneout"
        )
    if noise.cell_zoneout and "c" not in cell.state_type._fields:
        raise ValueError("cell_zoneout and a cell without c do not go together; use zoneout")
    inside = [n for n in ("state_dropout", "zoneout", "cell_zoneout") if getattr(noise, n)]
    if inside and implementation not in (None, "scan"):
        raise ValueError(
            f'{inside[0]} and implementation="{implementation}" do not go together; use "scan"'
        )


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


def _each(name: str, states: Any, layers: tuple[Any, ...]) -> tuple[Any, ...]:
    """A state for each layer, or None."""
    if states is None:
        return (None,) * len(layers)
    if len(states) != len(layers):
        raise ValueError(f"{name} must be a tuple of {len(layers)}, got {len(states)}")
    for index, (params, one) in enumerate(zip(layers, states, strict=True)):
        if isinstance(params, Directions) and (hasattr(one, "h") or len(one) != 2):
            raise ValueError(f"{name}[{index}] must be a pair (forward, backward)")
    return tuple(states)


def _pair(states: Any) -> Directions:
    return Directions(None, None) if states is None else Directions(*states)


def _layer(cell, params, xs, state, initial, *, noise, key, merge, **options):
    """One layer, in one direction or in both."""
    one = partial(_direction, cell, noise=noise, **options)
    if not isinstance(params, Directions):
        return one(params, xs, state, initial, key=key)
    states, initials = _pair(state), _pair(initial)
    keys = _split(key, 2)
    forward, hs = one(params.forward, xs, states.forward, initials.forward, key=keys[0])
    backward, reversed_hs = one(
        params.backward, xs, states.backward, initials.backward, key=keys[1], reverse=True
    )
    merged = None if hs is None else _merge(merge, Directions(hs, reversed_hs))
    return Directions(forward, backward), merged


def _direction(cell, params, xs, state, initial, *, noise, key, emits, implementation, **options):
    """One run of one layer, with the noise that is inside it."""
    state, more = _starts(cell, params, xs, state, initial)
    weight_key, state_key, zone_key = _split(key, 3)
    params = drop_weights(weight_key, params, noise.weight_dropout)
    step, inputs = cell.step, xs
    if noise.state_dropout and state_key is not None:
        mask = dropout(state_key, jnp.ones_like(state.h), noise.state_dropout)
        step, params = drop_state(step), (params, mask)
    if noise.zoneout or noise.cell_zoneout:
        rates = {"h": noise.zoneout, "c": noise.cell_zoneout}
        step = zoneout(step, cell.state_type(*(rates[f] for f in cell.state_type._fields)))
        inputs = xs, None if zone_key is None else jax.random.split(zone_key, len(xs))
    if step is not cell.step:
        cell = cell._replace(step=step, pointwise=None)
    implementation = implementation or implementations.best(cell, params, inputs)
    if not emits and implementation == "scan":
        options["emit"] = None
    return functional.run(cell, params, inputs, state, implementation, **more, **options)


def _starts(cell, params, xs, state, initial):
    """The state to begin with, and what `scan` is told of the one at resets."""
    if state is not None and initial is None:
        return state, {}
    zeros = functional.zero_state(cell, params, xs)
    if initial is None:
        return zeros, {}
    initial = initial_like(initial, zeros)
    return (initial if state is None else state), {"initial": initial}


def _merge(merge: Merge, hs: Any) -> Array:
    if not isinstance(hs, Directions):
        return hs
    return jnp.concatenate(hs, -1) if merge == "concat" else hs.forward + hs.backward


def _h(state: Any) -> Any:
    return map_directions(lambda state: state.h, state)


def _split(key: Array | None, count: int) -> Any:
    return [None] * count if key is None else jax.random.split(key, count)
