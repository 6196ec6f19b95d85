"""Layers over one another and in both directions, as one pure function: `run_layers`.

What is here acts on whole sequences between layers: directions and their merging, residual and
skip connections, dropout of inputs, outputs and what goes between. What acts inside a layer is the
parameters' (`lstm_jax.cells`) or a wrapper of its step (`lstm_jax.regularize`).
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
    """What belongs to the two directions of a layer: parameters, states or outputs.

    Attributes:
        forward: of the direction of time.
        backward: of the other.
    """

    forward: Tree
    backward: Tree


class SequenceOptions(TypedDict, total=False):
    """What `run_layers` hands to `lstm_jax.scan`, which says what each is."""

    lengths: ArrayLike | None
    mask: ArrayLike | None
    resets: ArrayLike | None
    unroll: int | bool
    remat: Remat


class Around(NamedTuple):
    """What those who look on put around the recurrence of every layer.

    Attributes:
        wrap: `step -> step`, the new one over inputs `(x, beside_t)`.
        beside: a tuple over layers, leaves (T, ...): what rides along with the inputs.
        start: a tuple over layers, as their states: added to those that they begin with.

    Of a bidirectional layer, both are `Directions` of two.
    """

    wrap: Callable[[Step], Step]
    beside: tuple[Tree, ...]
    start: tuple[Tree, ...]


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
    """Run layers over one another on a time-major batch.

    Args:
        cell: what every layer is, such as `lstm_jax.lstm_cell()`.
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
        around: what is put around every layer's step; the plain loop then runs it.
        implementation: as in `lstm_jax.lstm`; None is the fastest for reverse mode.
        **options: `lengths`, `mask`, `resets`, `unroll`, `remat` of `lstm_jax.scan`.

    Returns:
        `(final_states, outputs)`: a tuple over layers, as `state`, and what was asked for (None of
        "none"). A row of length 0 keeps its state, and its last output is that of no step: h of
        the state.

    Raises:
        ValueError: options that do not go together, named; another number of states than layers;
            an unknown merge, connections or outputs.
    """
    check(cell, layers, xs, merge, connections, noise, implementation)
    _check_choice("outputs", outputs, ("all", "last", "none"))
    if outputs == "last" and connections == "residual" and isinstance(layers[-1], Directions):
        raise ValueError(
            'outputs="last" and connections="residual" of a bidirectional layer do not go '
            "together: its directions end at different steps"
        )
    shared = (0,) if noise.variational else ()
    in_key, out_key, *keys = _split(key, 2 + len(layers))
    xs = dropout(in_key, xs, noise.input_dropout, shared_axes=shared)
    finals, given = [], []
    below = xs
    for index, layer_key in enumerate(keys):
        between_key, inner_key = _split(layer_key, 2)
        if index:
            below = dropout(between_key, below, noise.dropout, shared_axes=shared)
        reads = jnp.concatenate([xs, below], -1) if connections == "skip" and index else below
        top = index == len(layers) - 1
        keep: Keep = "h" if outputs == "all" or not top else "nothing"
        how = _How(cell, noise, keep, implementation, around and around.wrap, options)
        final, hs = _layer(how, _at(index, layers, state, initial, around), reads, inner_key)
        finals.append(final)
        ends = None if outputs == "all" else _merge(merge, _h(final))
        below = _merge(merge, hs) if ends is None or not top else ends
        if connections == "residual":
            if keep == "nothing":
                reads = last_valid(reads, lengths=options.get("lengths"), mask=options.get("mask"))
            below = below + reads if reads.shape == below.shape else below
        given.append(below if ends is None else ends)
    if outputs == "none":
        nothing: Tree = None
        return tuple(finals), nothing
    result = jnp.concatenate(given, -1) if connections == "skip" else below
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
    """Run layers without noise, keeping every state, and every gate where the cell has `gates`.

    Args:
        cell, layers, xs, state, initial, merge, **options: as in `run_layers`, which has noise
            and connections too.

    Returns:
        `(final_states, traces)`: tuples over layers, of final states and of `lstm_jax.Trace`;
        `Directions` of two where bidirectional.

    Raises:
        ValueError: as `run_layers`.
    """
    check(cell, layers, xs, merge, None, SILENCE, None)
    how = _How(cell, SILENCE, "everything", "scan", None, options)
    finals, traces = [], []
    for index in range(len(layers)):
        final, kept = _layer(how, _at(index, layers, state, initial, None), xs, None)
        finals.append(final)
        traces.append(kept)
        xs = _merge(merge, map_directions(lambda kept: kept.states.h, kept))
    return tuple(finals), tuple(traces)


class Explanations(tuple[Explanation, ...]):
    """How each layer would run, bottom first and forward before backward; printed, all of it."""

    def __str__(self) -> str:
        if len(set(map(str, self))) == 1:
            return str(self[0])
        return "\n".join(f"{number}: {one}" for number, one in enumerate(self))


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
    """Say which implementation each layer would take, and what stands in the way of the others.

    Args:
        cell, layers, xs, merge, connections, noise, implementation, **options: as in
            `run_layers`, here without a key.

    Returns:
        `Explanations`; printed, they say everything.

    Raises:
        TypeError, ValueError: as `run_layers`.
    """
    check(cell, layers, xs, merge, connections, noise, implementation)
    how = _How(cell, noise, "h", implementation, None, options)
    explanations, below = [], xs
    for index, params in enumerate(layers):
        reads = jnp.concatenate([xs, below], -1) if connections == "skip" and index else below
        sides = params if isinstance(params, Directions) else (params,)
        widths = []
        for number, side in enumerate(sides):
            call = _call(how, _Of(side, None, None, None, None), reads, None, bool(number))
            explanations.append(choose.explain(implementation, *call))
            widths.append(call[3].h.shape[-1])
        width = sum(widths) if merge == "concat" else widths[0]
        below = jnp.zeros((*xs.shape[:-1], width), xs.dtype)  # of the values nothing depends
    return Explanations(explanations)


def map_directions(function: Callable[[Tree], Tree], of: Tree) -> Tree:
    """Give the function of both directions, or of the one that there is."""
    return Directions(*map(function, of)) if isinstance(of, Directions) else function(of)


def last_valid(
    ys: Array, *, lengths: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Array:
    """Give the last valid step of each row of ys (T, ..., H): (..., H); zeros where none is."""
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
    """Raise a ValueError that names options which do not go together, or are unknown.

    A TypeError, where the layers are no tuple.
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
            f"state_dropout and {cell.name} do not go together: its h is its memory too; use "
            "weight_dropout or zoneout"
        )
    if noise.cell_zoneout:
        params = layers[0].forward if isinstance(layers[0], Directions) else layers[0]
        if not hasattr(jax.eval_shape(cell.zero, params, xs), "c"):
            raise ValueError("cell_zoneout and a cell without c do not go together; use zoneout")
    inside = [n for n in ("state_dropout", "zoneout", "cell_zoneout") if getattr(noise, n)]
    if inside and implementation not in (None, "scan"):
        raise ValueError(
            f'{inside[0]} and implementation="{implementation}" do not go together; use "scan"'
        )


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


# --- one layer -----------------------------------------------------------------------------------


class _How(NamedTuple):
    """What is the same for every layer and both directions."""

    cell: Cell
    noise: Noise
    keep: Keep
    implementation: Implementation | None
    wrap: Callable[[Step], Step] | None
    options: SequenceOptions


class _Of(NamedTuple):
    """What belongs to one layer, or to one direction of it."""

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
) -> _Of:
    """Take out what belongs to a layer."""
    beside, start = (None, None) if around is None else (around.beside, around.start)
    given = {"state": state, "initial": initial, "beside": beside, "start": start}
    for name, each in given.items():
        if each is None:
            continue
        _check_each(name, each, layers)
    return _Of(layers[index], *(None if each is None else each[index] for each in given.values()))


def _check_each(name: str, each: Tree, layers: tuple[Tree, ...]) -> None:
    """Raise a ValueError for what is not a tuple over layers, each as its parameters are."""
    count = len(layers)
    wanted = f"{name} must be a tuple of {count}, one for each layer"
    if hasattr(each, "_fields"):
        single = count == 1 and not isinstance(layers[0], Directions)
        instead = f"; give ({name},)" if single else ""
        raise ValueError(f"{wanted}, got one {type(each).__name__}{instead}")
    if hasattr(each, "shape"):
        raise ValueError(f"{wanted}, got an array of shape {jnp.shape(each)}")
    if len(each) == 2 and name in ("state", "initial") and hasattr(each[0], "shape"):
        raise ValueError(
            f"{wanted}, such as LSTMState(h, c), got arrays; PyTorch's (h0, c0) is "
            "tuple(map(LSTMState, h0, c0))"
        )
    if len(each) != count:
        raise ValueError(f"{wanted}, got {len(each)}")
    for index, (one, params) in enumerate(zip(each, layers, strict=True)):
        if isinstance(params, Directions) and (hasattr(one, "h") or len(one) != 2):
            raise ValueError(f"{name}[{index}] must be a pair (forward, backward)")


def _layer(how: _How, of: _Of, xs: Array, key: Array | None) -> tuple[Tree, Tree]:
    """Run one layer, in one direction or in both: final states, and what is kept."""
    if not isinstance(of.params, Directions):
        return _direction(how, of, xs, key)
    keys = _split(key, 2)
    sides = [_Of(*(None if part is None else part[side] for part in of)) for side in (0, 1)]
    forward, kept = _direction(how, sides[0], xs, keys[0])
    backward, kept_backward = _direction(how, sides[1], xs, keys[1], reverse=True)
    return Directions(forward, backward), Directions(kept, kept_backward)


def _direction(
    how: _How, of: _Of, xs: Array, key: Array | None, reverse: bool = False
) -> tuple[Tree, Tree]:
    """Run one direction of one layer, with the noise that is inside it."""
    call = _call(how, of, xs, key, reverse)
    cell, params, inputs, state, options = call
    chosen = choose.choose(how.implementation, *call)
    if how.keep == "everything":
        options["emit"] = tracing(cell.gates)
    elif how.keep == "nothing" and chosen == "scan":
        options["emit"] = None
    final, kept = functional.dispatch(chosen, cell, params, inputs, state, options)
    return final, None if how.keep == "nothing" else kept


def _call(
    how: _How, of: _Of, xs: Array, key: Array | None, reverse: bool
) -> tuple[Cell, Tree, Tree, Tree, RunOptions]:
    """Give what one direction of one layer runs: cell, parameters, inputs, state and options."""
    cell, noise = how.cell, how.noise
    state, initial = functional.start(cell, of.params, xs, of.state, of.initial)
    weight_key, state_key, zone_key = _split(key, 3)
    params = drop_weights(weight_key, of.params, noise.weight_dropout)
    step, inputs = cell.step, xs
    if noise.state_dropout and state_key is not None:
        mask = dropout(state_key, jnp.ones_like(state.h), noise.state_dropout)
        step, params = drop_state(step), (params, mask)
    if noise.zoneout or noise.cell_zoneout:
        step = zoneout(step, _rates(state, noise))
        inputs = xs, None if zone_key is None else jax.random.split(zone_key, len(xs))
    if how.wrap is not None:
        step, inputs = how.wrap(step), (inputs, of.beside)
        state = jax.tree.map(jnp.add, state, of.start)
    if step is not cell.step:
        cell = cell._replace(step=step, affine=None, textbook=None)
    options: RunOptions = {**how.options, "reverse": reverse}
    if initial is not None:
        options["initial"] = initial
    return cell, params, inputs, state, options


def _rates(state: Tree, noise: Noise) -> Tree:
    """Give zoneout's rate for every leaf of a state: of its fields h and c, and 0 for others."""
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
