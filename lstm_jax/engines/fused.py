"""The fast path for any cell with an affine pre-activation and an elementwise `pointwise`.

    z_t = x_t W_x + h_{t-1} W_h + b        state_t = pointwise(z_t, state_{t-1})

The gradient of a plain scan accumulates the weight gradients inside the reverse loop, with a rank-B
update of the whole matrix at each step. This module defines the forward derivative instead,
arranged so that its transpose is fast. Once the states are known, everything that does not depend
on the tangent of the state is a large matrix product before the loop,

    ż_t = [ẋ_t W_x + x_t Ẇ_x + h_{t-1} Ẇ_h + ḃ] + ḣ_{t-1} W_h

and JAX's transpose of it is a loop over the cotangent of the state that keeps dz, followed by large
products. JAX differentiates `pointwise` itself, so no cell needs a handwritten backward pass; the
gradients of parameters of `pointwise` (peepholes, a projection) are computed inside the loop. Both
modes of differentiation work, to any order.

A `Plan` decides how z_t is computed; the fastest way depends on the platform and on the shapes.
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
    """Describe how the loop computes z_t.

    Attributes:
        hoisted: whether x W_x + b of all steps is one product before the loop; otherwise the loop
            multiplies [x_t, h] by both kernels at once.
        columns: whether the state is stored as (H, B) and its product is W_hᵀ h, rather than (B, H)
            and h W_h.
    """

    hoisted: bool
    columns: bool


def plan(platform: str, batch: tuple[int, ...], hidden_features: int) -> Plan:
    """Return the plan that was measured to be the fastest for a platform and shapes.

    On accelerators, the number of launches per step matters, so the product with x is hoisted.

    On a CPU, a single row is bound by reading the kernels, and hoisting halves what a step reads.
    With more rows, one product of [x_t, h] is faster, because a slice of a hoisted product keeps
    XLA from vectorizing the gates. XLA multiplies the tall kernel by a few columns up to three
    times as fast as a few rows by the wide kernel, if they fill its registers, eight to each. Many
    columns cost more in the gates than they save in the product.

    Symbolic sizes (`jax.export`) cannot be compared, and are treated as large.
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
    """Return whether all sizes are numbers rather than symbols of `jax.export`."""
    return all(isinstance(size, int) for size in sizes)


def choose(xs: Array, recurrent_kernel: Array) -> Plan:
    """Return the `plan` for arrays on JAX's default device."""
    how = plan(jax.default_backend(), xs.shape[1:-1], recurrent_kernel.shape[0])
    # An explicit mesh shards rows; transposing them to columns would need another sharding.
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
    """Run a cell that has an affine form, as `lstm_jax.scan` does.

    Args:
        cell: a cell with `affine`.
        params: parameters, in which the fields named by `cell.affine.without` are None.
        xs: (T, ..., D).
        state: leaves (..., H).
        initial, lengths, mask, resets, reverse, unroll, remat: as in `lstm_jax.scan`.
        loop: function to call instead of `affine_scan`.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H).

    Raises:
        TypeError, ValueError: as in `lstm_jax.scan`, or if features do not fit the kernels.
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

    def chunk(state: S, inputs: tuple[Array, Array | None, Array | None]) -> tuple[S, Array]:
        xs, valid, starts = inputs
        return (loop or affine_scan)(
            form.pointwise, kernels, rest, xs, state, at_reset, valid, starts,
            reverse=reverse, unroll=unroll,
        )  # fmt: skip

    inputs = hide(valid, xs), valid, starts
    return in_chunks(chunk, state, inputs, remat=remat, reverse=reverse)


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
    """Scan `pointwise(extra, x W_x + h W_h + b, state)` with a custom derivative.

    Args:
        pointwise: `(extra, z, state) -> new_state`, row by row; the state has an `h`.
        kernels: `(input_kernel (D, G), recurrent_kernel (H, G), bias (G,) or None)`.
        extra: a pytree of parameters for `pointwise`.
        xs: (T, ..., D), already zero at invalid steps.
        state: leaves (..., H).
        initial: the state at a reset, with the shapes of `state`.
        valid, starts: (T, ...) booleans or None, as `recurrence.controls` returns them.
        reverse, unroll: as in `jax.lax.scan`.
        how: the plan; that of `choose` if None.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H).
    """
    if not jnp.issubdtype(xs.dtype, jnp.inexact):
        # The tangents of integers have a special dtype, which the products below cannot read.
        xs = xs.astype(common(xs, kernels[0]))
    how = choose(xs, kernels[1]) if how is None else how
    how = how._replace(columns=how.columns and xs.ndim <= 3)  # columns need a single batch axis
    turned = how.columns and xs.ndim == 3

    def turn(tree):
        """Swap (..., B, H) and (..., H, B) if the plan has columns."""
        return jax.tree.map(lambda a: a.swapaxes(-1, -2), tree) if turned else tree

    def pick(flag, chosen, other):
        """Apply `select` to a state in either layout."""
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
        """Return what the loop reads at each step, and the function of it and h that returns z."""
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
        """Return the final state and hs, and z and the initial state of each step."""
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
        """Compute the tangents of the final state and of hs, linear in `tangents`."""
        zs, states = known
        _, extra, xs, _, _, valid, starts = operands
        dkernels, dextra, dxs, dstate, dinitial, _, _ = tangents
        (input_kernel, recurrent_kernel, _), (dinput, drecurrent, dbias) = kernels, dkernels
        known = _outside(xs, dinput) + _outside(turn(states.h), drecurrent)
        known = add_bias(dxs @ input_kernel + known, dbias).astype(zs.dtype)
        # Training runs the transpose of this product, whose operands are then contiguous.
        kernel = recurrent_kernel if how.columns else recurrent_kernel.T
        contracted = ((0,), (0,)) if how.columns else ((dstate.h.ndim - 1,), (1,))
        dinitial = turn(dinitial)

        # Recomputing the gates in the reverse loop is cheaper than storing them all.
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
    """Compute xs @ dkernel of all steps, (T, ..., D) and (D, G), so that its transpose is fast.

    The transpose is the kernel's gradient Σ xᵀ dz. XLA's CPU backend computes it near its best rate
    as one product of (D, T B) and (T B, G), and at half that rate if it has to transpose dz.
    """
    if is_explicit(xs) or is_explicit(dkernel):
        return xs @ dkernel
    across = jnp.moveaxis(xs, -1, 0).reshape(xs.shape[-1], math.prod(xs.shape[:-1]))
    product = jax.lax.dot_general(across, dkernel, (((0,), (0,)), ((), ())))
    return product.reshape(*xs.shape[:-1], dkernel.shape[1])


def is_explicit(array: Array) -> bool:
    """Return whether an array is on a mesh with explicit axes."""
    return AxisType.Explicit in jax.typeof(array).sharding.mesh.axis_types
