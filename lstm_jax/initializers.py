"""Initial parameters: per-gate orthogonal recurrence, forget bias, chrono biases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import GRUParams, LSTMParams, RNNParams


def orthogonal_gates(
    key: Array, hidden_features: int, num_gates: int, *, scale: float = 1.0, dtype: Any = None
) -> Array:
    """(H, num_gates · H): one random orthogonal block per gate (Saxe et al. 2014).

    Per gate and not on the whole matrix: an orthogonal (H, 4H) has blocks whose singular values
    lie well below 1, which makes a fresh network forget before it has learned anything.
    """
    one = jax.nn.initializers.orthogonal(scale)
    shape = (hidden_features, hidden_features)
    dtype = dtype or jnp.float32
    wide = jnp.promote_types(dtype, jnp.float32)  # QR knows no bfloat16
    blocks = [one(k, shape, wide) for k in jax.random.split(key, num_gates)]
    return jnp.concatenate(blocks, axis=1).astype(dtype)


def init_lstm(
    key: Array,
    in_features: int,
    hidden_features: int,
    *,
    forget_bias: float = 1.0,
    max_timescale: float | None = None,
    dtype: Any = None,
) -> LSTMParams:
    """LSTM parameters: LeCun-normal input kernel, per-gate orthogonal recurrent kernel.

    Args:
        key: a key of `jax.random`.
        in_features, hidden_features: D and H.
        forget_bias: the forget gate's bias; the others are 0 (Jozefowicz et al. 2015 argue for 1).
        max_timescale: if given, the biases are those of `chrono`, in place of `forget_bias`.
        dtype: of the parameters; float32 if None.

    Raises:
        ValueError: for features below 1, or a timescale that is not above 2 steps.
    """
    input_kernel, recurrent_kernel = _kernels(key, in_features, hidden_features, 4, dtype)
    bias = jnp.zeros(4 * hidden_features, input_kernel.dtype)
    bias = bias.at[hidden_features : 2 * hidden_features].set(forget_bias)
    params = LSTMParams(input_kernel, recurrent_kernel, bias)
    if max_timescale is None:
        return params
    return chrono(jax.random.fold_in(key, 2), params, max_timescale)


def init_rnn(key: Array, in_features: int, hidden_features: int, *, dtype: Any = None) -> RNNParams:
    """Vanilla RNN parameters: LeCun-normal input kernel, orthogonal recurrent kernel, zero bias.

    Raises:
        ValueError: for features below 1.
    """
    input_kernel, recurrent_kernel = _kernels(key, in_features, hidden_features, 1, dtype)
    return RNNParams(input_kernel, recurrent_kernel, jnp.zeros(hidden_features, input_kernel.dtype))


def init_gru(key: Array, in_features: int, hidden_features: int, *, dtype: Any = None) -> GRUParams:
    """GRU parameters: LeCun-normal input kernel, per-gate orthogonal recurrent kernel, zero biases.

    Raises:
        ValueError: for features below 1.
    """
    input_kernel, recurrent_kernel = _kernels(key, in_features, hidden_features, 3, dtype)
    return GRUParams(
        input_kernel,
        recurrent_kernel,
        jnp.zeros(3 * hidden_features, input_kernel.dtype),
        jnp.zeros(hidden_features, input_kernel.dtype),
    )


def chrono(key: Array, params: LSTMParams, max_timescale: float) -> LSTMParams:
    """Biases for dependencies up to `max_timescale` steps (Tallec & Ollivier 2018).

        b_f ~ ln U(1, max_timescale - 1)        b_i = -b_f

    A forget gate σ(b_f) then has a characteristic time 1/(1 - f) = 1 + e^{b_f}, in steps.

    Raises:
        ValueError: for a timescale that is not above 2 steps.
    """
    if not max_timescale > 2:
        raise ValueError(f"max_timescale must be above 2 steps, got {max_timescale}")
    width = params.recurrent_kernel.shape[0]
    times = jax.random.uniform(
        key, (width,), params.bias.dtype, minval=1.0, maxval=max_timescale - 1.0
    )
    forget = jnp.log(times)
    bias = jnp.concatenate([-forget, forget, jnp.zeros(2 * width, params.bias.dtype)])
    return replace(params, bias=bias)


def _kernels(key, in_features, hidden_features, num_gates, dtype):
    for name, features in (("in_features", in_features), ("hidden_features", hidden_features)):
        if features < 1:
            raise ValueError(f"{name} must be at least 1, got {features}")
    input_key, recurrent_key = jax.random.split(key)
    shape = (in_features, num_gates * hidden_features)
    input_kernel = jax.nn.initializers.lecun_normal()(input_key, shape, dtype or jnp.float32)
    recurrent_kernel = orthogonal_gates(recurrent_key, hidden_features, num_gates, dtype=dtype)
    return input_kernel, recurrent_kernel
