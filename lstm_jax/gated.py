"""The two variants of the gated recurrent unit, and the minimal gated unit, as pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import Activation, Kernels, add_bias, check_features, zeros
from lstm_jax.promotion import common

GRU_GATE_ORDER = ("r", "z", "n")


class GRUState(NamedTuple):
    """Store the hidden state h, (..., H)."""

    h: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GRUParams:
    """Store the parameters of a GRU, with columns ordered r, z, n.

    Attributes:
        input_kernel: (D, 3H).
        recurrent_kernel: (H, 3H).
        bias: (3H,), or None.
        recurrent_bias: (H,), the candidate's bias inside the reset product, or None. It must be
            None if the reset comes before the matrix product.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    recurrent_bias: Array | None = None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MGUParams:
    """Store the parameters of a minimal gated unit, with columns ordered f, n.

    Attributes:
        input_kernel: (D, 2H).
        recurrent_kernel: (H, 2H).
        bias: (2H,), or None.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None


def gru_zero(params: GRUParams | MGUParams, xs: Array) -> GRUState:
    """Return the zero state for inputs (T, ..., D): h (..., H), in the promoted dtype."""
    dtype = common(xs, params.input_kernel)
    return GRUState(zeros(xs, params.recurrent_kernel, params.recurrent_kernel.shape[0], dtype))


def gru_step(
    params: GRUParams,
    state: GRUState,
    x: Array,
    *,
    reset_after: bool = True,
    gate_activation: Activation = jax.nn.sigmoid,
    activation: Activation = jnp.tanh,
) -> GRUState:
    """Take one step of the GRU (Cho et al. 2014), by default with the reset after the product.

        r = σ(x W_r + h U_r + b_r)     z = σ(x W_z + h U_z + b_z)
        n = tanh(x W_n + b_n + r ⊙ (h U_n + b'_n))         reset_after
        n = tanh(x W_n + b_n + (r ⊙ h) U_n)                not reset_after
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}

    The first variant is that of cuDNN, PyTorch, Flax and Keras, and of ONNX's
    linear_before_reset; the second is that of the paper.

    Args:
        params: kernels (D, 3H) and (H, 3H), `bias` (3H,), and `recurrent_bias` (H,), which is b'_n.
        state: h, (..., H).
        x: input, (..., D).
        reset_after: whether the reset gate acts after the matrix product.
        gate_activation, activation: functions used instead of σ and tanh.

    Returns:
        The new state, with the shape and dtype of the old one.

    Raises:
        ValueError: if the features of `x` or `h` do not fit the kernels, or a `recurrent_bias` is
            passed without `reset_after`.
    """
    check_features(params, state.h, x)
    if not reset_after and params.recurrent_bias is not None:
        raise ValueError("recurrent_bias needs reset_after=True: it is inside the reset product")
    hidden = state.h.shape[-1]
    kernel = params.recurrent_kernel
    early = kernel if reset_after else kernel[:, : 2 * hidden]
    x_r, x_z, x_n = jnp.split(add_bias(x @ params.input_kernel, params.bias), 3, axis=-1)
    h_r, h_z, *after = jnp.split(state.h @ early, early.shape[1] // hidden, axis=-1)
    r, z = gate_activation(x_r + h_r), gate_activation(x_z + h_z)
    if reset_after:
        h_n = r * add_bias(after[0], params.recurrent_bias)
    else:
        h_n = (r * state.h) @ kernel[:, 2 * hidden :]
    h = (1 - z) * activation(x_n + h_n) + z * state.h
    return GRUState(h.astype(state.h.dtype))


def gru_split(params: GRUParams) -> tuple[Kernels, None]:
    """Return the kernels of the pre-activations r, z, n from x and n from h.

    They are (D, 4H), (H, 4H) and a bias (4H,). The reset gate multiplies only the n that comes from
    h, so each kernel has a block of zeros. `gru_pointwise` needs no further parameters.
    """
    hidden = params.recurrent_kernel.shape[0]
    inputs, recurrent = params.input_kernel, params.recurrent_kernel
    gates, candidate = recurrent[:, : 2 * hidden], recurrent[:, 2 * hidden :]
    no_input = jnp.zeros_like(candidate)
    zeros = jnp.zeros(hidden, inputs.dtype)
    bias = jnp.zeros(3 * hidden, inputs.dtype) if params.bias is None else params.bias
    candidate_bias = zeros if params.recurrent_bias is None else params.recurrent_bias
    kernels = (
        jnp.concatenate([inputs, jnp.zeros_like(inputs[:, :hidden])], axis=1),
        jnp.concatenate([gates, no_input, candidate], axis=1),
        jnp.concatenate([bias, candidate_bias]),
    )
    return kernels, None


def gru_pointwise(
    params: None,
    z: Array,
    state: GRUState,
    *,
    gate_activation: Activation = jax.nn.sigmoid,
    activation: Activation = jnp.tanh,
) -> GRUState:
    """Compute h_t of a GRU with `reset_after` from the z (..., 4H) of `gru_split`."""
    del params
    r, update, from_x, from_h = jnp.split(z, 4, axis=-1)
    r, update = gate_activation(r), gate_activation(update)
    h = (1 - update) * activation(from_x + r * from_h) + update * state.h
    return GRUState(h.astype(state.h.dtype))


def mgu_step(params: MGUParams, state: GRUState, x: Array) -> GRUState:
    """Take one step of the minimal gated unit (Zhou et al. 2016), a GRU with a single gate.

        f = σ(x W_f + h U_f + b_f)     n = tanh(x W_n + b_n + (f ⊙ h) U_n)
        h_t = (1 - f) ⊙ h_{t-1} + f ⊙ n

    Args:
        params: kernels (D, 2H) and (H, 2H), `bias` (2H,).
        state: h, (..., H).
        x: input, (..., D).

    Returns:
        The new state, with the shape and dtype of the old one.

    Raises:
        ValueError: if the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, state.h, x)
    forget_kernel, candidate_kernel = jnp.split(params.recurrent_kernel, 2, axis=-1)
    x_f, x_n = jnp.split(add_bias(x @ params.input_kernel, params.bias), 2, axis=-1)
    f = jax.nn.sigmoid(x_f + state.h @ forget_kernel)
    n = jnp.tanh(x_n + (f * state.h) @ candidate_kernel)
    return GRUState(((1 - f) * state.h + f * n).astype(state.h.dtype))
