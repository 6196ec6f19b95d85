"""The LSTM that runs the kernels of `kernels.cc`, each with its twin in JAX.

    z_t = x_t W_x + h_{t-1} W_h + b    c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t    h_t = o_t ⊙ tanh(c_t)

The derivative is arranged as in `lstm_jax.engines.fused`. Everything that does not depend on the
tangent of the state is one product before the loop, ẋ W_x + x Ẇ_x + h Ẇ_h + ḃ, whose transposes
are the gradients of the weights. The remaining loop is linear in it and in the tangents of the
states. It runs in JAX in forward mode, and in foreign code in reverse mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.cells import (
    Kernels,
    LSTMParams,
    LSTMState,
    add_bias,
    lstm_cell_path,
    lstm_pre_activation,
)
from lstm_jax.engines.native import rows
from lstm_jax.engines.native.library import target
from lstm_jax.engines.twins import Twin, call, linear_call
from lstm_jax.named import bind
from lstm_jax.recurrence import select

Arrays: TypeAlias = tuple[Array, ...]

NONE = np.zeros(0, np.float32)  # stands for a missing array
NO_FLAGS = np.zeros(0, bool)


def scan(
    pointwise: object,
    kernels: Kernels,
    extra: object,
    xs: Array,
    state: LSTMState,
    initial: LSTMState,
    valid: Array | None,
    starts: Array | None,
    *,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[LSTMState, Array]:
    """Run the textbook LSTM in float32, with the arguments of `fused.affine_scan`.

    Args:
        pointwise, extra, unroll: ignored.
        kernels: `(input_kernel (D, 4H), recurrent_kernel (H, 4H), bias (4H,) or None)`.
        xs: (T, ..., D), already zero at invalid steps.
        state, initial: h and c, each (..., H).
        valid, starts: (T, ...) booleans or None, as `recurrence.controls` returns them.
        reverse: whether to run from the last step to the first.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H).
    """
    del pointwise, extra, unroll
    input_kernel, recurrent_kernel, bias = kernels
    batch = xs.shape[1:-1]
    flags = [NO_FLAGS if flag is None else _over(flag, batch) for flag in (valid, starts)]
    at_reset = (NONE, NONE) if starts is None else (initial.h, initial.c)
    bias = NONE if bias is None else bias
    hs, h, c = _run(
        reverse, xs, input_kernel, recurrent_kernel, bias, state.h, state.c, *flags, *at_reset
    )
    return LSTMState(h, c), hs


def _over(flag: Array, batch: tuple[int, ...]) -> Array:
    """Broadcast a flag (T, ...) over the remaining batch axes."""
    missing = len(batch) + 1 - flag.ndim
    return jnp.broadcast_to(flag.reshape(*flag.shape, *[1] * missing), (flag.shape[0], *batch))


# --- the derivative -----------------------------------------------------------------------------


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _run(reverse: bool, *operands: Array) -> Arrays:
    twin = Twin(bind(_portable, reverse=reverse), bind(_native, reverse=reverse))
    return tuple(call(twin, *operands))


@_run.defjvp
def _run_jvp(reverse: bool, operands: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
    kept = Twin(
        bind(_portable, reverse=reverse, keep=True), bind(_native, reverse=reverse, keep=True)
    )
    hs, h, c, gates, h_before, c_before = call(kept, *operands)
    xs, input_kernel, recurrent_kernel, bias, _, _, valid, starts, *_ = operands
    dxs, dinput, drecurrent, dbias, *dstate, _, _, dinitial_h, dinitial_c = tangents
    biased = bias.size > 0
    weights = Twin(bind(_weights, bias=biased), bind(_native_weights, bias=biased))
    dweights = (dinput, drecurrent, *([dbias] if biased else []))
    (dz,) = linear_call(Twin(_outside), weights, (xs, h_before), dweights)
    inputs = Twin(_inputs, _native_inputs)
    (dz_x,) = linear_call(Twin(_through), inputs, (input_kernel,), (dxs,))
    if not starts.size:
        dinitial_h = dinitial_c = jnp.zeros_like(dstate[0])
    along = linear_call(
        Twin(bind(_tangents, reverse=reverse)),
        Twin(bind(_cotangents, reverse=reverse), bind(_native_cotangents, reverse=reverse)),
        (recurrent_kernel, gates, c_before, valid, starts),
        (dz_x + dz, *dstate, dinitial_h, dinitial_c),
    )
    return (hs, h, c), tuple(along)


# --- in JAX --------------------------------------------------------------------------------------


def _portable(
    xs: Array, input_kernel: Array, recurrent_kernel: Array, bias: Array, h: Array, c: Array,
    valid: Array, starts: Array, initial_h: Array, initial_c: Array, *, reverse: bool,
    keep: bool = False,
) -> Arrays:  # fmt: skip
    """Return `(hs, h, c)`; with `keep` also the gates (T, ..., 4H), and h, c before each step."""
    params = LSTMParams(input_kernel, recurrent_kernel, bias if bias.size else None)

    def body(state, inputs):
        x, valid_t, start_t = inputs
        if start_t is not None:
            state = select(start_t, LSTMState(initial_h, initial_c), state)
        z = lstm_pre_activation(params, state.h, x)
        gates, c = lstm_cell_path(params, z, state.c)
        new = LSTMState(gates.o * jnp.tanh(c), c)
        h = new.h
        if valid_t is not None:
            new, h = select(valid_t, new, state), select(valid_t, h, jnp.zeros_like(h))
        return new, (h, jnp.concatenate(gates, -1), *state) if keep else (h,)

    inputs = xs, _present(valid), _present(starts)
    state, (hs, *known) = jax.lax.scan(body, LSTMState(h, c), inputs, reverse=reverse)
    return hs, *state, *known


def _tangents(
    recurrent_kernel: Array, gates: Array, c_before: Array, valid: Array, starts: Array,
    dz: Array, dh: Array, dc: Array, dinitial_h: Array, dinitial_c: Array, *, reverse: bool,
) -> Arrays:  # fmt: skip
    """Compute the tangents of hs, h, c from those of z at fixed states, and of the states."""

    def body(dstate, inputs):
        dz, gates, c_old, valid_t, start_t = inputs
        if start_t is not None:
            dstate = select(start_t, LSTMState(dinitial_h, dinitial_c), dstate)
        i, f, g, o = jnp.split(gates, 4, -1)
        di, df, dg, do = jnp.split(dz + dstate.h @ recurrent_kernel, 4, -1)
        squashed = jnp.tanh(f * c_old + i * g)
        dc = f * dstate.c + c_old * f * (1 - f) * df + g * i * (1 - i) * di + i * (1 - g * g) * dg
        dh = squashed * o * (1 - o) * do + o * (1 - squashed * squashed) * dc
        new = LSTMState(dh, dc)
        if valid_t is not None:
            new, dh = select(valid_t, new, dstate), select(valid_t, dh, jnp.zeros_like(dh))
        return new, dh

    inputs = dz, gates, c_before, _present(valid), _present(starts)
    dstate, dhs = jax.lax.scan(body, LSTMState(dh, dc), inputs, reverse=reverse)
    return dhs, *dstate


def _cotangents(
    recurrent_kernel: Array, gates: Array, c_before: Array, valid: Array, starts: Array,
    dhs: Array, dh: Array, dc: Array, *, reverse: bool,
) -> Arrays:  # fmt: skip
    """Compute the transpose of `_tangents`: cotangents of z, and of the states that start runs."""
    residuals = recurrent_kernel, gates, c_before, valid, starts
    linear = jnp.zeros_like(gates), *[jnp.zeros_like(dh)] * 4
    pull = jax.vjp(lambda *args: _tangents(*residuals, *args, reverse=reverse), *linear)[1]
    return tuple(pull((dhs, dh, dc)))


def _outside(
    xs: Array, h_before: Array, dinput: Array, drecurrent: Array, dbias: Array | None = None
) -> Arrays:
    """Compute the tangents of z from those of the weights, for constant states."""
    dz = xs @ dinput + h_before @ drecurrent
    return (add_bias(dz, dbias),)


def _weights(xs: Array, h_before: Array, dz: Array, *, bias: bool) -> Arrays:
    """Compute the transpose of `_outside`: x and h of all rows and steps, times dz."""

    def product(rows):
        return jnp.tensordot(rows, dz, (steps := tuple(range(dz.ndim - 1)), steps))

    return product(xs), product(h_before), *([dz.sum(range(dz.ndim - 1))] if bias else [])


def _through(kernel: Array, dxs: Array) -> Arrays:
    """Compute the tangents of z from those of the inputs."""
    return (dxs @ kernel,)


def _inputs(kernel: Array, dz: Array) -> Arrays:
    """Compute the transpose of `_through`."""
    return (dz @ kernel.T,)


def _present(flag: Array) -> Array | None:
    return flag if flag.shape != (0,) else None


# --- foreign code --------------------------------------------------------------------------------

# The axis of the rows of a batch, for arguments and results; None for arrays without rows.
_KERNEL, _SEQUENCE, _STATE = None, 1, 0
_FORWARD = (_SEQUENCE, *[_KERNEL] * 3, _STATE, _STATE, _SEQUENCE, _SEQUENCE, _STATE, _STATE)
_FORWARD_OUT = (_SEQUENCE, _STATE, _STATE, _SEQUENCE, _SEQUENCE, _SEQUENCE)
_BACKWARD = (_KERNEL, *[_SEQUENCE] * 5, _STATE, _STATE)
_BACKWARD_OUT = (_SEQUENCE, *[_STATE] * 4)
_WEIGHTS = (_SEQUENCE, _SEQUENCE, _SEQUENCE)
_WEIGHTS_OUT = (_KERNEL, _KERNEL, _KERNEL)


def _native(*operands: Array, reverse: bool, keep: bool = False) -> Arrays:
    kernel = bind(_forward, reverse=reverse, keep=keep)
    return rows.flat(kernel, _FORWARD, _FORWARD_OUT)(*operands)


def _forward(*operands: Array, reverse: bool, keep: bool) -> Arrays:
    xs, _, recurrent_kernel, *_ = operands
    steps, rows, _ = xs.shape
    width = recurrent_kernel.shape[0]
    sequence, state = (steps, rows, width), (rows, width)
    if not keep:
        return _ffi("forward", [sequence, state, state], operands, reverse=reverse)
    kept = [(steps, rows, 4 * width), sequence, sequence]
    return _ffi("keep", [sequence, state, state, *kept], operands, reverse=reverse)


def _native_cotangents(*operands: Array, reverse: bool) -> Arrays:
    return rows.flat(bind(_backward, reverse=reverse), _BACKWARD, _BACKWARD_OUT)(*operands)


def _backward(*operands: Array, reverse: bool) -> Arrays:
    gates, dh = operands[1], operands[6]
    # dz overwrites the gates, whose cache lines have just been read.
    shapes = [gates.shape, *[dh.shape] * 4]
    return _ffi("backward", shapes, operands, aliases={1: 0}, reverse=reverse)


def _native_weights(*operands: Array, bias: bool) -> Arrays:
    gradients = rows.flat(_weights_of_rows, _WEIGHTS, _WEIGHTS_OUT)(*operands)
    return gradients if bias else gradients[:2]


def _weights_of_rows(*operands: Array) -> Arrays:
    features, width, gates = (array.shape[-1] for array in operands)
    return _ffi("weights", [(features, gates), (width, gates), (gates,)], operands)


def _native_inputs(*operands: Array) -> Arrays:
    return rows.flat(_inputs_of_rows, (_KERNEL, _SEQUENCE), (_SEQUENCE,))(*operands)


def _inputs_of_rows(kernel: Array, dz: Array) -> Arrays:
    return _ffi("inputs", [(*dz.shape[:-1], kernel.shape[0])], (kernel, dz))


def _ffi(
    name: str,
    shapes: Sequence[tuple[int, ...]],
    operands: Arrays,
    aliases: dict[int, int] | None = None,
    **attributes: bool,
) -> Arrays:
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    call = jax.ffi.ffi_call(target(name), results, input_output_aliases=aliases)
    return tuple(call(*operands, **attributes))
