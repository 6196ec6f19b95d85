"""The textbook cells as pure functions: `new_state = step(params, state, x)`.

Every step takes `x` of shape (..., D) and a state whose leaves are (..., H), with any number of
batch axes, none included. Gate order is (i, f, g, o) and state order is (h, c), always.

LSTM and RNN are an affine pre-activation z = x W_x + h W_h + b followed by an elementwise
`pointwise(z, state)`; the fast path is written over that form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

LSTM_GATE_ORDER = ("i", "f", "g", "o")
GRU_GATE_ORDER = ("r", "z", "n")


class LSTMState(NamedTuple):
    """Hidden state h and cell state c, each (..., H)."""

    h: Array
    c: Array


class LSTMGates(NamedTuple):
    """Activations of the input, forget, candidate and output gates, each (..., H)."""

    i: Array
    f: Array
    g: Array
    o: Array


class RNNState(NamedTuple):
    """Hidden state h, (..., H)."""

    h: Array


class GRUState(NamedTuple):
    """Hidden state h, (..., H)."""

    h: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LSTMParams:
    """`input_kernel` (D, 4H), `recurrent_kernel` (H, 4H), `bias` (4H,).

    Columns are ordered i, f, g, o.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RNNParams:
    """`input_kernel` (D, H), `recurrent_kernel` (H, H), `bias` (H,)."""

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GRUParams:
    """`input_kernel` (D, 3H), `recurrent_kernel` (H, 3H), `bias` (3H,), `recurrent_bias` (H,).

    Columns are ordered r, z, n. `recurrent_bias` is the candidate's, inside the reset product.
    """

    input_kernel: Array
    recurrent_kernel: Array
    bias: Array
    recurrent_bias: Array


def affine(params: LSTMParams | RNNParams, h: Array, x: Array) -> Array:
    """Pre-activation z = x W_x + h W_h + b, in the promoted dtype of its operands.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, h, x)
    return x @ params.input_kernel + h @ params.recurrent_kernel + params.bias


def lstm_activations(z: Array) -> LSTMGates:
    """Gate activations from the pre-activation z (..., 4H): σ, σ, tanh, σ."""
    i, f, g, o = jnp.split(z, 4, axis=-1)
    return LSTMGates(jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o))


def lstm_pointwise(z: Array, state: LSTMState) -> LSTMState:
    """The elementwise half of the LSTM: c_t = f ⊙ c_{t-1} + i ⊙ g, h_t = o ⊙ tanh(c_t)."""
    i, f, g, o = lstm_activations(z)
    c = f * state.c + i * g
    h = o * jnp.tanh(c)
    return LSTMState(h.astype(state.h.dtype), c.astype(state.c.dtype))


def lstm_gates(params: LSTMParams, state: LSTMState, x: Array) -> LSTMGates:
    """The gates that `lstm_step` would use at this state and input.

        i = σ(W_i [h, x] + b_i)        f = σ(W_f [h, x] + b_f)
        g = tanh(W_g [h, x] + b_g)     o = σ(W_o [h, x] + b_o)

    Args:
        params: kernels and bias, columns ordered i, f, g, o.
        state: h and c, each (..., H); only h is read.
        x: input, (..., D).

    Returns:
        Four arrays of shape (..., H), in the promoted dtype of parameters, state and input.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    return lstm_activations(affine(params, state.h, x))


def lstm_step(params: LSTMParams, state: LSTMState, x: Array) -> LSTMState:
    """One step of the LSTM with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t        h_t = o_t ⊙ tanh(c_t)

    The cell path is additive: ∂c_t/∂c_{t-1} along it is diag(f_t), with no matrix and no squashing.

    Args:
        params: `input_kernel` (D, 4H), `recurrent_kernel` (H, 4H), `bias` (4H,).
        state: h and c, each (..., H).
        x: input, (..., D).

    Returns:
        The new state, in the shapes and dtypes of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    return lstm_pointwise(affine(params, state.h, x), state)


def rnn_pointwise(z: Array, state: RNNState) -> RNNState:
    """The elementwise half of the vanilla RNN: h_t = tanh(z)."""
    return RNNState(jnp.tanh(z).astype(state.h.dtype))


def rnn_step(params: RNNParams, state: RNNState, x: Array) -> RNNState:
    """One step of the vanilla RNN (Elman 1990): h_t = tanh(x_t W_x + h_{t-1} W_h + b).

    Args:
        params: `input_kernel` (D, H), `recurrent_kernel` (H, H), `bias` (H,).
        state: h, (..., H).
        x: input, (..., D).

    Returns:
        The new state, in the shape and dtype of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    return rnn_pointwise(affine(params, state.h, x), state)


def gru_step(params: GRUParams, state: GRUState, x: Array) -> GRUState:
    """One step of the GRU (Cho et al. 2014), with the reset gate after the matrix product.

        r = σ(x W_r + h U_r + b_r)     z = σ(x W_z + h U_z + b_z)
        n = tanh(x W_n + b_n + r ⊙ (h U_n + b'_n))
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}

    This is the variant of cuDNN, of PyTorch and of Keras' `reset_after=True`.

    Args:
        params: kernels (D, 3H) and (H, 3H), `bias` (3H,), `recurrent_bias` (H,), which is b'_n.
        state: h, (..., H).
        x: input, (..., D).

    Returns:
        The new state, in the shape and dtype of the old one.

    Raises:
        ValueError: where the features of `x` or `h` do not fit the kernels.
    """
    check_features(params, state.h, x)
    x_r, x_z, x_n = jnp.split(x @ params.input_kernel + params.bias, 3, axis=-1)
    h_r, h_z, h_n = jnp.split(state.h @ params.recurrent_kernel, 3, axis=-1)
    r = jax.nn.sigmoid(x_r + h_r)
    z = jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * (h_n + params.recurrent_bias))
    h = (1 - z) * n + z * state.h
    return GRUState(h.astype(state.h.dtype))


def check_features(params: LSTMParams | RNNParams | GRUParams, h: Array, x: Array) -> None:
    """Raise a ValueError that names the array whose last axis does not fit the kernels."""
    for name, array, kernel_name in (("x", x, "input_kernel"), ("h", h, "recurrent_kernel")):
        kernel = getattr(params, kernel_name)
        if not array.ndim or array.shape[-1] != kernel.shape[0]:
            raise ValueError(
                f"{name} has shape {array.shape}; its last axis must be {kernel.shape[0]}, "
                f"the rows of {kernel_name} {kernel.shape}"
            )
