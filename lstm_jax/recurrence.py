"""The loop that runs a step over time, used by every layer, sampler and diagnostic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, TypeAlias, TypedDict, TypeVar, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from lstm_jax.cells import P, S, Step, X
from lstm_jax.promotion import aligned
from lstm_jax.remat import Remat, in_chunks
from lstm_jax.spelling import named_options
from lstm_jax.trees import Tree

Y = TypeVar("Y")

Emit: TypeAlias = Callable[[P, S, X, S], Y]
"""`emit(params, old_state, x, new_state)` returns the value to stack over time."""


class ScanOptions(TypedDict, total=False):
    """Describe the options of `scan` besides step, inputs, state and `emit`; see there."""

    initial: Tree | None
    lengths: ArrayLike | None
    mask: ArrayLike | None
    resets: ArrayLike | None
    reverse: bool
    unroll: int | bool
    remat: Remat
    per_row: Tree | None


def hidden(params: object, old_state: object, x: object, new_state: Tree) -> Array:
    """Return h of the new state: the default `emit` of `scan`.

    Raises:
        TypeError: if the state has no `h`; `scan` then needs an `emit`.
    """
    del params, old_state, x
    if not hasattr(new_state, "h"):
        raise TypeError(
            f"the state is a {type(new_state).__name__} without an attribute h; pass a state that "
            "has it, such as LSTMState(h, c) or StackState((state_0, state_1, ...)), or emit=None, "
            "or an emit(params, old_state, x, new_state)"
        )
    return new_state.h


def scan(
    step: Step[P, S, X],
    params: P,
    xs: Tree,
    state: S,
    *,
    emit: Emit[P, S, X, Tree] | None = hidden,
    initial: Tree | None = None,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    resets: ArrayLike | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    remat: Remat = None,
    per_row: Tree | None = None,
) -> tuple[S, Tree]:
    """Run `state = step(params, state, xs[t])` over the leading axis of `xs`.

    At each t, if `resets[t]` is True, the state first becomes `initial`. Then, if `mask[t]` is
    False, x is replaced by zeros, the state does not change and the output is zero, so that not
    even NaN in the padding reaches values or gradients.

    T=0 and B=0 are valid sizes for this function and everything built on it, with any options. If
    there are no steps, the state is returned, outputs are empty and the gradients of the
    parameters are zeros. The last output of no step is h of the state, as for a row of length 0.

    Args:
        step: a pure function `(params, state, x) -> new_state`.
        params: passed to `step` and `emit`.
        xs: any pytree whose leaves have the leading axis T: (T, ..., D).
        state: any pytree; a state for a batch has leaves (..., H).
        emit: `emit(params, old_state, x, new_state)` returns the value to stack over time; None
            stacks nothing.
        initial: the state at a reset, broadcast against `state`; zeros if None.
        lengths: (...), integers in [0, T]; steps from `lengths` on are masked.
        mask: (T, ...), boolean, True where x is valid. With `lengths`, both must hold.
        resets: (T, ...), boolean, True where x_t starts a new segment. In reverse, the state is
            reset where a segment ends in time.
        reverse: run from the last step to the first; outputs keep their positions.
        unroll: as in `jax.lax.scan`.
        remat: number of steps in a chunk that the gradient recomputes, so that only the states
            between chunks are kept. "sqrt" takes about √T steps; memory then grows as √T.
        per_row: booleans in the structure of `xs` that mark the leaves with a row for each
            sequence, which are zeroed where masked. If None, these are all leaves whose leading
            axes are those of the mask, except keys, typed or raw (uint32), which the rows share.

    Returns:
        `(final_state, ys)`, as `jax.lax.scan` does; ys has leaves (T, ...).

    Raises:
        TypeError: if the mask or resets are not boolean, the lengths are not integers, the step
            changes the structure, a shape or a dtype of the state, or the state has no `h` to emit.
        ValueError: if the leaves of `xs` disagree on T, a mask, resets or lengths have another
            shape, `initial` has another structure, or `remat` is unknown.
    """
    if emit is hidden:
        hidden(params, state, None, state)  # so that a bare (h, c) fails here and not in the step
    valid, starts = controls(xs, lengths=lengths, mask=mask, resets=resets, reverse=reverse)
    check_axes(state, lengths=lengths, mask=mask, resets=resets)
    initial = initial_like(initial, state)

    def body(state, inputs):
        x, valid_t, start_t = inputs
        state = select(start_t, initial, state)
        x = hide(valid_t, x, per_row)
        new_state = step(params, state, x)
        _check_carry(state, new_state)
        y = None if emit is None else emit(params, state, x, new_state)
        if valid_t is not None:
            new_state = select(valid_t, new_state, state)
            y = select(valid_t, y, zeros_like(y))
        return new_state, y

    run = partial(jax.lax.scan, body, reverse=reverse, unroll=unroll)
    return in_chunks(run, state, (xs, valid, starts), remat=remat, reverse=reverse)


class Trace(NamedTuple):
    """Store the `states` and the `gates` of a run, leaves (T, ..., H); gates may be None."""

    states: Tree
    gates: Tree | None


def tracing(gates: Callable[[P, S, X], Tree] | None) -> Emit[P, S, X, Trace]:
    """Build the `emit` of `scan` that keeps the new state and, if the cell has gates, the gates."""

    def emit(params: P, old_state: S, x: X, new_state: S) -> Trace:
        return Trace(new_state, None if gates is None else gates(params, old_state, x))

    return emit


@named_options(ScanOptions)
def trace(
    step: Step[P, S, X],
    params: P,
    xs: Tree,
    state: S,
    *,
    gates: Callable[[P, S, X], Tree] | None = None,
    **options: Unpack[ScanOptions],
) -> tuple[S, Trace]:
    """Run `scan` and keep every new state and, with `gates(params, state, x)`, every gate.

    Args:
        step, params, xs, state: as in `scan`.
        gates: a function such as `lstm_gates`, evaluated at the state that the step reads.
        **options: `initial`, `lengths`, `mask`, `resets`, `reverse`, `unroll`, `remat` of `scan`.

    Returns:
        `(final_state, Trace(states, gates))`.

    Raises:
        TypeError, ValueError: as in `scan`.
    """
    return scan(step, params, xs, state, emit=tracing(gates), **options)


class StackState(tuple):
    """Store the states of a stack's layers, bottom first; `h` is the top layer's."""

    __slots__ = ()

    @property
    def h(self) -> Array:
        """Return h of the top layer."""
        return self[-1].h

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Tree, Tree]], None]:
        """Return the states of the layers with their indices, for JAX."""
        return [(jax.tree_util.SequenceKey(i), s) for i, s in enumerate(self)], None

    @classmethod
    def tree_unflatten(cls, _: None, children: Iterable[Tree]) -> StackState:
        """Rebuild the stack from the states of its layers."""
        return cls(children)


jax.tree_util.register_pytree_with_keys_class(StackState)


def stack(*steps: Step) -> Step[tuple[Tree, ...], StackState, Tree]:
    """Combine the steps of several layers: the new h of a layer is the x of the next.

    Args:
        *steps: one step per layer, bottom first; every state needs an `h`.

    Returns:
        `step(params, state, x)`, where params is a tuple over layers and state a `StackState`.

    Raises:
        ValueError: if there are no steps; when called, if the number of params or states differs.
    """
    if not steps:
        raise ValueError("stack needs at least one step")

    def step(params: tuple[Tree, ...], state: StackState, x: Tree) -> StackState:
        if not isinstance(state, StackState):
            raise TypeError(
                f"the state of a stack must be a StackState, bottom first, got a "
                f"{type(state).__name__}; pass StackState((state_0, state_1, ...))"
            )
        if len(params) != len(steps) or len(state) != len(steps):
            raise ValueError(
                f"a stack of {len(steps)} steps needs as many params and states, "
                f"got {len(params)} params and {len(state)} states"
            )
        new_states = []
        for layer, layer_params, layer_state in zip(steps, params, state, strict=True):
            new_states.append(layer(layer_params, layer_state, x))
            x = new_states[-1].h
        return StackState(new_states)

    return step


def controls(
    xs: Tree,
    *,
    lengths: ArrayLike | None,
    mask: ArrayLike | None,
    resets: ArrayLike | None,
    reverse: bool,
) -> tuple[Array | None, Array | None]:
    """Check the lengths, mask and resets of `scan`, and combine them.

    Returns:
        `(valid, starts)`, each (T, ...) booleans or None; `starts` is in the order of the run.
    """
    steps = _time_steps(xs)
    mask, resets = (
        np.asarray(control) if isinstance(control, (list, tuple)) else control
        for control in (mask, resets)
    )
    for name, control in (("mask", mask), ("resets", resets)):
        if control is None:
            continue
        if jnp.result_type(control) != jnp.bool_:
            raise TypeError(f"{name} must be boolean, got {jnp.result_type(control)}")
        if jnp.ndim(control) < 1 or jnp.shape(control)[0] != steps:
            raise ValueError(
                f"{name} must have the leading time axis T={steps} of xs, got shape "
                f"{jnp.shape(control)}"
            )
    valid = None if mask is None else jnp.asarray(mask)
    if lengths is not None:
        lengths = np.asarray(lengths) if isinstance(lengths, (list, tuple)) else lengths
        within = _within(lengths, steps)
        if valid is not None and valid.shape != within.shape:
            raise ValueError(
                f"mask has shape {valid.shape} but lengths of shape {jnp.shape(lengths)} "
                f"make a mask of shape {within.shape}"
            )
        valid = within if valid is None else valid & within
    starts = None if resets is None else jnp.asarray(resets)
    if starts is not None and reverse:
        # Backward, a segment is entered at its last step, just before the next segment starts.
        starts = jnp.concatenate([starts[1:], jnp.zeros_like(starts[:1])])
    return valid, starts


def check_axes(
    state: Tree,
    *,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    resets: ArrayLike | None = None,
) -> None:
    """Raise a ValueError if lengths, mask or resets do not have the batch axes of the state.

    Args:
        state: leaves (..., H).
        lengths, mask, resets: as in `scan`.
    """
    for name, control in (("lengths", lengths), ("mask", mask), ("resets", resets)):
        if control is None:
            continue
        time = () if name == "lengths" else ("T",)
        axes = np.shape(control)[len(time) :]
        for leaf in jax.tree.leaves(state):
            shape = jnp.shape(leaf)
            if shape[: len(axes)] != axes:
                batch = shape[:-1] or shape
                expected = ", ".join(map(str, [*time, *batch[: max(1, len(axes))]]))
                comma = "" if ", " in expected else ","
                raise ValueError(
                    f"{name} must be ({expected}{comma}), as the state has shape {shape}, "
                    f"got shape {np.shape(control)}"
                )


def select(flag: Array | None, chosen: Tree, other: Tree) -> Tree:
    """Return `chosen` where the flag is True and `other` elsewhere, leaf by leaf.

    The axes of the flag are the leading axes of `other`, and `chosen` broadcasts. If the flag is
    None, `other` is returned.
    """
    if flag is None:
        return other

    def pick(a, b):
        if jnp.ndim(b) < flag.ndim or jnp.shape(b)[: flag.ndim] != flag.shape:
            raise ValueError(
                f"a mask or reset of shape (T, {', '.join(map(str, flag.shape))}) does not fit "
                f"a state or output of shape {jnp.shape(b)}: their leading axes must agree"
            )
        return jnp.where(flag.reshape(flag.shape + (1,) * (jnp.ndim(b) - flag.ndim)), a, b)

    return jax.tree.map(pick, chosen, other)


def initial_like(initial: Tree | None, state: S) -> S:
    """Return the state at a reset, with the shapes and dtypes of `state`; zeros if None."""
    if initial is None:
        return zeros_like(state)
    if jax.tree.structure(initial) != jax.tree.structure(state):
        raise ValueError(
            f"initial must have the structure of state, {jax.tree.structure(state)}, "
            f"got {jax.tree.structure(initial)}"
        )
    return jax.tree.map(
        lambda a, s: jnp.broadcast_to(a, jnp.shape(s)).astype(jnp.result_type(s)), initial, state
    )


def hide(valid: Array | None, x: X, per_row: Tree | None = None) -> X:
    """Zero the invalid rows of the leaves that have a row for each sequence.

    Args:
        valid: (...) booleans; if None, nothing is hidden.
        x: leaves (..., D).
        per_row: as in `scan`.

    Returns:
        The structure of `x`.

    Raises:
        ValueError: if `per_row` has another structure, or marks a leaf that does not have the axes
            of `valid`.
    """
    if valid is None:
        return x

    def has_rows(leaf: Array) -> bool:
        key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) or leaf.dtype == jnp.uint32
        return not key and jnp.shape(leaf)[: valid.ndim] == valid.shape

    def hide_leaf(leaf: Array, rows: bool) -> Array:
        return select(valid, leaf, jnp.zeros_like(leaf)) if rows else leaf

    per_row = jax.tree.map(has_rows, x) if per_row is None else per_row
    if jax.tree.structure(per_row) != jax.tree.structure(x):
        raise ValueError(
            f"per_row must have the structure of xs, {jax.tree.structure(x)}, got "
            f"{jax.tree.structure(per_row)}"
        )
    return jax.tree.map(hide_leaf, x, per_row)


def zeros_like(tree: S) -> S:
    """Return zeros with the shapes and dtypes of a pytree."""
    return jax.tree.map(jnp.zeros_like, tree)


def _time_steps(xs: Tree) -> int:
    leaves = jax.tree_util.tree_leaves_with_path(xs)
    if not leaves:
        raise ValueError("xs has no arrays: scan takes the number of steps from its leading axis")
    sizes = {}
    for path, leaf in leaves:
        if jnp.ndim(leaf) < 1:
            raise ValueError(f"xs{jax.tree_util.keystr(path)} is a scalar; it needs a time axis")
        sizes[jax.tree_util.keystr(path)] = jnp.shape(leaf)[0]
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the leaves of xs disagree on the number of steps T: {sizes}")
    return next(iter(sizes.values()))


def _within(lengths: ArrayLike, steps: int) -> Array:
    if not jnp.issubdtype(jnp.result_type(lengths), jnp.integer):
        raise TypeError(f"lengths must be integers, got {jnp.result_type(lengths)}")
    if not isinstance(lengths, Tracer) and jnp.size(lengths):
        known = np.asarray(lengths)  # jnp would trace even constants under jit
        low, high = known.min(), known.max()
        if low < 0 or high > steps:
            raise ValueError(f"lengths must lie in [0, T={steps}], got {low} to {high}")
    lengths = jnp.asarray(lengths)
    times = jnp.arange(steps).reshape((steps,) + (1,) * lengths.ndim)
    times, lengths = aligned(times, lengths)
    return times < lengths


def _check_carry(old: Tree, new: Tree) -> None:
    if jax.tree.structure(old) != jax.tree.structure(new):
        raise TypeError(
            "the step must keep the structure of the state, "
            f"{jax.tree.structure(old)}, got {jax.tree.structure(new)}"
        )
    old_leaves = jax.tree_util.tree_leaves_with_path(old)
    for (path, a), b in zip(old_leaves, jax.tree.leaves(new), strict=True):
        if jnp.shape(a) != jnp.shape(b) or jnp.result_type(a) != jnp.result_type(b):
            raise TypeError(
                f"the step changed state{jax.tree_util.keystr(path)} from "
                f"{jnp.result_type(a)}{jnp.shape(a)} to {jnp.result_type(b)}{jnp.shape(b)}; "
                "scan needs the state to keep its shapes and dtypes"
            )
