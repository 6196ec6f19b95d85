"""The fast path, for any cell that is an affine pre-activation and an elementwise `pointwise`.

    z_t = x_t W_x + h_{t-1} W_h + b        state_t = pointwise(z_t, state_{t-1})

Differentiating a plain scan accumulates the weight gradients inside the reverse loop, a rank-B
update of the whole matrix at each step. What is written here is the derivative forwards, arranged
so that its transpose is fast: once the states are known, all that does not depend on the state's
own tangent is big matrix products before the loop,

    ż_t = [ẋ_t W_x + x_t Ẇ_x + h_{t-1} Ẇ_h + ḃ] + ḣ_{t-1} W_h

and JAX, reversing it, leaves a loop over the state's cotangent that keeps dz, and big products
after it. `pointwise` itself is differentiated by JAX, so no cell has a backward pass written by
hand; what parameters it has of its own (peepholes, a projection) get their gradients inside the
loop. Both modes of differentiation work, to any order.

How z_t is computed, a `Plan` says: what is fastest depends on the platform and on the shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import AxisType
from jax.typing import ArrayLike

from lstm_jax.cells import Cell, Kernels, P, R, S, add_bias, check_floating, check_rows
from lstm_jax.promotion import common
from lstm_jax.recurrence import controls, hide, initial_like, select
from lstm_jax.remat import Remat, in_chunks
from lstm_jax.trees import Tree

T = TypeVar("T")


class Plan(NamedTuple):
    """How the loop computes z_t.

    Attributes:
        hoisted: x W_x + b of all steps is one product before the loop; else [x_t, h] is
            multiplied by both kernels at once inside it.
        columns: the state is held as (H, B) and its product is W_hᵀ h; else (B, H) and h W_h.
    """

    hoisted: bool
    columns: bool


def plan(platform: str, batch: tuple[int, ...], hidden_features: int) -> Plan:
    """The fastest plan that was measured, for a platform and shapes.

    On accelerators a step's launches count, and the one product outside the loop is hoisted.

    On CPU a single row is bound by reading the kernels, and hoisting halves what a step reads.
    More rows are one product of [x_t, h]: a slice of a hoisted product keeps XLA from
    vectorising the gates. XLA multiplies the tall kernel by a few columns up to three times as
    fast as a few rows by the wide one, if they fill its registers, eight to each; many columns
    cost more in the gates than they save in the product.

    Sizes that are symbols (`jax.export`) are taken for many: they cannot be compared.
    """
    if platform != "cpu":
        return Plan(hoisted=True, columns=False)
    if not are_known(batch):
        return Plan(hoisted=False, columns=False)
    wide = hidden_features >= 256
    rows = math.prod(batch)
    if rows == 1:
        return Plan(hoisted=True, columns=wide and len(batch) <= 1)
    few = rows % 8 == 0 and rows <= min(64, hidden_features**2 // 5000)
    return Plan(hoisted=False, columns=wide and few and len(batch) == 1)


def are_known(sizes: tuple[int, ...]) -> bool:
    """Say whether sizes are numbers, and not symbols of `jax.export`."""
    return all(isinstance(size, int) for size in sizes)


def choose(xs: Array, recurrent_kernel: Array) -> Plan:
    """The `plan` for arrays, on JAX's default device."""
    how = plan(jax.default_backend(), xs.shape[1:-1], recurrent_kernel.shape[0])
    # Where devices are explicit, JAX is told how rows are split over them, not columns.
    explicit = is_explicit(xs) or is_explicit(recurrent_kernel)
    return how._replace(columns=how.columns and not explicit)


def run(
    cell: Cell[P, S, Array],
    params: P,
    xs: Array,
    state: S,
    *,
    initial: Tree | None = None,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    resets: ArrayLike | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    remat: Remat = None,
    loop: Callable[..., tuple[S, Array]] | None = None,
) -> tuple[S, Array]:
    """Run a cell that has an affine form; what is returned, and the options, are `scan`'s.

    Args:
        cell: with `affine`.
        params: whose names in `cell.affine.without` are None.
        xs: (T, ..., D).
        state: leaves (..., H).
        initial, lengths, mask, resets, reverse, unroll, remat: as in `lstm_jax.scan`.
        loop: what to run in the place of `affine_scan`.

    Returns:
        `(final_state, hs)`, hs (T, ..., H).

    Raises:
        TypeError, ValueError: as `lstm_jax.scan`, and for features that do not fit the kernels.
    """
    form = cell.affine
    if form is None:
        raise ValueError("this cell has no affine form")
    kernels, rest = form.split(params)
    check_rows(xs, kernels[0], "x", "input_kernel")
    start: Tree = state
    check_rows(start.h, kernels[1], "h", "recurrent_kernel")
    check_floating("h", start.h)
    valid, starts = controls(xs, lengths=lengths, mask=mask, resets=resets, reverse=reverse)
    at_reset = initial_like(initial, state)

    def some(state: S, inputs: tuple[Array, Array | None, Array | None]) -> tuple[S, Array]:
        xs, valid, starts = inputs
        return (loop or affine_scan)(
            form.pointwise, kernels, rest, xs, state, at_reset, valid, starts,
            reverse=reverse, unroll=unroll,
        )  # fmt: skip

    inputs = hide(valid, xs), valid, starts
    return in_chunks(some, state, inputs, remat=remat, reverse=reverse)


def affine_scan(
    pointwise: Callable[[R, Array, S], S],
    kernels: Kernels,
    extra: R,
    xs: Array,
    state: S,
    initial: S,
    valid: Array | None,
    starts: Array | None,
    *,
    reverse: bool = False,
    unroll: int | bool = 1,
    how: Plan | None = None,
) -> tuple[S, Array]:
    """Scan `pointwise(extra, x W_x + h W_h + b, state)`, with a derivative of its own.

    Args:
        pointwise: `(extra, z, state) -> new_state`, row by row; the state has an `h`.
        kernels: `(input_kernel (D, G), recurrent_kernel (H, G), bias (G,) or None)`.
        extra: a pytree of parameters for `pointwise`.
        xs: (T, ..., D), already zero where not valid.
        state: leaves (..., H).
        initial: the state at a reset, of the shapes of `state`.
        valid, starts: (T, ...) booleans or None, as `recurrence.controls` gives them.
        reverse, unroll: as in `jax.lax.scan`.
        how: `choose`s if None.

    Returns:
        `(final_state, hs)`, hs (T, ..., H).
    """
    if not jnp.issubdtype(xs.dtype, jnp.inexact):
        # Integers have tangents of their own kind, which the products below cannot read.
        xs = xs.astype(common(xs, kernels[0]))
    how = choose(xs, kernels[1]) if how is None else how
    how = how._replace(columns=how.columns and xs.ndim <= 3)  # a column is of one axis
    turned = how.columns and xs.ndim == 3

    def turn(tree):
        """(..., B, H) <-> (..., H, B), where the plan has columns."""
        return jax.tree.map(lambda a: a.swapaxes(-1, -2), tree) if turned else tree

    def pick(flag, chosen, other):
        """`select`, whichever way the state is held."""
        if flag is None or not turned:
            return select(flag, chosen, other)
        return jax.tree.map(lambda a, b: jnp.where(flag, a, b), chosen, other)

    after = jax.vmap(pointwise, in_axes=(None, -1, -1), out_axes=-1) if turned else pointwise

    def advance(extra: R, z: Array, state: S, valid_t: Array | None) -> tuple[Tree, Array]:
        new_state: Tree = after(extra, z, state)
        if valid_t is None:
            return new_state, new_state.h
        h = pick(valid_t, new_state.h, jnp.zeros_like(new_state.h))
        return pick(valid_t, new_state, state), h

    def pre_activation(kernels, xs):
        """What the loop reads of each step, and z of that and of h."""
        input_kernel, recurrent_kernel, bias = kernels
        if how.hoisted:
            reads, kernel = add_bias(xs @ input_kernel, bias), recurrent_kernel
        else:
            reads, kernel = xs, jnp.concatenate([input_kernel, recurrent_kernel])
            bias = bias[:, None] if turned and bias is not None else bias
        kernel = kernel.T if how.columns else kernel  # a plain operand for the loop's product

        def z_of(read, h):
            v = h if how.hoisted else jnp.concatenate([read, h], axis=-2 if turned else -1)
            z = kernel @ v if how.columns else v @ kernel
            return z + read if how.hoisted else add_bias(z, bias)

        return turn(reads), z_of

    def loop(kernels, extra, xs, state, initial, valid, starts):
        """The final state, hs, and of each step z and the state that it began with."""
        reads, z_of = pre_activation(kernels, xs)
        initial = turn(initial)

        def body(state, inputs):
            read, valid_t, start_t = inputs
            state = pick(start_t, initial, state)
            z = z_of(read, state.h)
            new_state, h = advance(extra, z, state, valid_t)
            return new_state, (h, z, state)

        final, (hs, *known) = jax.lax.scan(
            body, turn(state), (reads, valid, starts), reverse=reverse, unroll=unroll
        )
        return (turn(final), turn(hs)), known

    def tangent_loop(kernels, known, operands, tangents):
        """The tangents of the final state and of hs: linear in `tangents`."""
        zs, states = known
        _, extra, xs, _, _, valid, starts = operands
        dkernels, dextra, dxs, dstate, dinitial, _, _ = tangents
        (input_kernel, recurrent_kernel, _), (dinput, drecurrent, dbias) = kernels, dkernels
        known = _outside(xs, dinput) + _outside(turn(states.h), drecurrent)
        known = add_bias(dxs @ input_kernel + known, dbias).astype(zs.dtype)
        # A product whose transpose, which is what training runs, has plain operands.
        kernel = recurrent_kernel if how.columns else recurrent_kernel.T
        contracted = ((0,), (0,)) if how.columns else ((dstate.h.ndim - 1,), (1,))
        dinitial = turn(dinitial)

        # Gates are computed again in the reverse loop: cheaper than to keep them all.
        @partial(jax.checkpoint, prevent_cse=False)
        def body(dstate, inputs):
            dz, z, state, valid_t, start_t = inputs
            dstate = pick(start_t, dinitial, dstate)
            pair = (kernel, dstate.h) if how.columns else (dstate.h, kernel)
            dz = dz + jax.lax.dot_general(*pair, (contracted, ((), ()))).astype(dz.dtype)
            _, (dstate, dh) = jax.jvp(
                lambda e, z, s: advance(e, z, s, valid_t), (extra, z, state), (dextra, dz, dstate)
            )
            return dstate, dh

        inputs = (turn(known), zs, states, valid, starts)
        final, dhs = jax.lax.scan(body, turn(dstate), inputs, reverse=reverse, unroll=unroll)
        return turn(final), turn(dhs)

    @jax.custom_jvp
    def run(*operands):
        return loop(*operands)[0]

    @run.defjvp
    def run_jvp(operands, tangents):
        result, known = loop(*operands)
        return result, tangent_loop(operands[0], known, operands, tangents)

    return run(kernels, extra, xs, state, initial, valid, starts)


def _outside(xs: Array, dkernel: Array) -> Array:
    """xs @ dkernel of all steps, (T, ..., D) and (D, G), written for the sake of its transpose.

    That is the kernel's gradient Σ xᵀ dz, which XLA's CPU computes near its best rate as one
    product of (D, T B) and (T B, G), and at half of it where it has to transpose dz.
    """
    if is_explicit(xs) or is_explicit(dkernel):
        return xs @ dkernel
    across = jnp.moveaxis(xs, -1, 0).reshape(xs.shape[-1], math.prod(xs.shape[:-1]))
    product = jax.lax.dot_general(across, dkernel, (((0,), (0,)), ((), ())))
    return product.reshape(*xs.shape[:-1], dkernel.shape[1])


def is_explicit(array: Array) -> bool:
    """Say whether an array lies on a mesh whose axes are explicit."""
    return AxisType.Explicit in jax.typeof(array).sharding.mesh.axis_types
