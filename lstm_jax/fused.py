"""The fast path, for any cell that is an affine pre-activation and an elementwise `pointwise`.

    z_t = x_t W_x + h_{t-1} W_h + b        state_t = pointwise(z_t, state_{t-1})

Differentiating a plain scan accumulates the weight gradients inside the reverse loop, a rank-B
update of the whole matrix at each step. Here the reverse loop carries the state's cotangent
alone and keeps dz; the weight gradients are big matrix products after it. `pointwise` itself is
differentiated by JAX, so no cell has a backward pass written by hand; what parameters it has of its
own (peepholes, a projection) get their gradients inside the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import AxisType

from lstm_jax.recurrence import select, zeros_like

Pointwise = Callable[[Any, Array, Any], Any]
Kernels = tuple[Array, Array, Array | None]


def affine_scan(
    pointwise: Pointwise,
    kernels: Kernels,
    extra: Any,
    xs: Array,
    state: Any,
    initial: Any,
    valid: Array | None,
    starts: Array | None,
    *,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Array]:
    """`scan` of `pointwise(extra, x W_x + h W_h + b, state)`, with its own reverse rule.

    Args:
        pointwise: `(extra, z, state) -> new_state`, row by row; the state has an `h`.
        kernels: `(input_kernel (D, G), recurrent_kernel (H, G), bias (G,) or None)`.
        extra: a pytree of parameters for `pointwise`.
        xs: (T, ..., D), already zero where not valid.
        state: leaves (..., H).
        initial: the state at a reset, of the shapes of `state`.
        valid, starts: (T, ...) booleans or None, as `recurrence.controls` gives them.
        reverse, unroll: as in `jax.lax.scan`.

    Returns:
        `(final_state, hs)`, hs (T, ..., H). Reverse mode only, to any order.
    """

    @jax.custom_vjp
    def run(*operands):
        return forward(*operands)[0]

    def enter(state, initial, start_t):
        return select(start_t, initial, state)

    def advance(extra, z, state, valid_t):
        new_state = pointwise(extra, z, state)
        if valid_t is None:
            return new_state, new_state.h
        h = select(valid_t, new_state.h, jnp.zeros_like(new_state.h))
        return select(valid_t, new_state, state), h

    def forward(kernels, extra, xs, state, initial, valid, starts):
        input_kernel, recurrent_kernel, bias = kernels
        # One product of the concatenated input is the fastest form on CPU at batch sizes of
        # eight and more: a slice of a hoisted x W_x keeps XLA from vectorising the gates.
        kernel = jnp.concatenate([input_kernel, recurrent_kernel])

        def body(state, inputs):
            x, valid_t, start_t = inputs
            state = enter(state, initial, start_t)
            z = jnp.concatenate([x, state.h], axis=-1) @ kernel
            z = z if bias is None else z + bias
            new_state, h = advance(extra, z, state, valid_t)
            return new_state, (h, z, state)

        final, (hs, zs, states) = jax.lax.scan(
            body, state, (xs, valid, starts), reverse=reverse, unroll=unroll
        )
        return (final, hs), (kernels, extra, xs, initial, valid, starts, zs, states)

    def backward(residuals, cotangents):
        kernels, extra, xs, initial, valid, starts, zs, states = residuals
        input_kernel, recurrent_kernel, bias = kernels
        dfinal, dhs = cotangents
        recurrent_transposed = recurrent_kernel.T  # a plain operand for the loop's product

        def body(carry, inputs):
            dstate, dinitial, dextra = carry
            z, state, dh, valid_t, start_t = inputs
            _, pull = jax.vjp(lambda e, z, s: advance(e, z, s, valid_t), extra, z, state)
            more, dz, dstate = pull((dstate, dh))
            dextra = jax.tree.map(jnp.add, dextra, more)
            through_h = (dz @ recurrent_transposed).astype(dstate.h.dtype)
            dstate = dstate._replace(h=dstate.h + through_h)
            # Where a segment starts, the cotangent belongs to `initial`.
            nothing = zeros_like(dstate)
            if start_t is not None:
                dinitial = jax.tree.map(jnp.add, dinitial, select(start_t, dstate, nothing))
            return (select(start_t, nothing, dstate), dinitial, dextra), dz

        (dstate, dinitial, dextra), dzs = jax.lax.scan(
            body,
            (dfinal, zeros_like(initial), zeros_like(extra)),
            (zs, states, dhs, valid, starts),
            reverse=not reverse,
            unroll=unroll,
        )
        dinput_kernel = _sum_of_outer_products(xs, dzs, input_kernel)
        drecurrent_kernel = _sum_of_outer_products(states.h, dzs, recurrent_kernel)
        dbias = None
        if bias is not None:
            dbias = dzs.sum(axis=tuple(range(dzs.ndim - 1))).astype(bias.dtype)
        dxs = (dzs @ input_kernel.T).astype(xs.dtype)
        dkernels = (dinput_kernel, drecurrent_kernel, dbias)
        return dkernels, dextra, dxs, dstate, dinitial, None, None  # booleans have no cotangent

    run.defvjp(forward, backward)
    return run(kernels, extra, xs, state, initial, valid, starts)


def _sum_of_outer_products(a: Array, b: Array, like: Array) -> Array:
    """Σ aᵀ b over all axes but the last, in the dtype and sharding of a kernel."""
    axes = tuple(range(a.ndim - 1))
    sharding = jax.typeof(like).sharding
    explicit = AxisType.Explicit in sharding.mesh.axis_types
    out = jnp.tensordot(a, b, axes=(axes, axes), out_sharding=sharding if explicit else None)
    return out.astype(like.dtype)
