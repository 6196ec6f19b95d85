"""NVIDIA's own kernels for an LSTM, by way of `jax.experimental.rnn`.

cuDNN's descriptor fixes what it computes: float32 (in TF32 where JAX's matmul precision allows it),
the textbook's cell, right-padded lengths and no other mask, one layer a call here. It is reverse
mode only, and has no batching rule.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.experimental import rnn
from jax.typing import ArrayLike

from lstm_jax.cells import LSTMParams, LSTMState
from lstm_jax.recurrence import controls, select


def lstm(
    params: LSTMParams,
    xs: Array,
    state: LSTMState,
    *,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
) -> tuple[LSTMState, Array]:
    """Run an LSTM layer as one kernel; time-major, and the same values as `lstm_jax.lstm`.

    Args:
        params: kernels (D, 4H), (H, 4H) and bias (4H,) or None, float32, of no further option.
        xs: (T, B, D) float32.
        state: h and c, each (B, H) float32.
        lengths: (B,) integers; not together with `reverse`.
        reverse: from the last step to the first.

    Returns:
        `(final_state, hs)`, hs (T, B, H).
    """
    steps, batch, features = xs.shape
    hidden = params.hidden_features
    valid, _ = controls(xs, lengths=lengths, mask=None, resets=None, reverse=False)
    xs = xs if valid is None else select(valid, xs, jnp.zeros_like(xs))
    # A sequence of no steps is not cuDNN's to read: it reads one of zeros, and is put right below.
    known = jnp.full(batch, steps) if lengths is None else jnp.maximum(jnp.asarray(lengths), 1)
    results: tuple[Array, ...] = rnn.lstm(
        (xs[::-1] if reverse else xs).swapaxes(0, 1),
        state.h[None],
        state.c[None],
        flat(params),
        known.astype(jnp.int32),
        input_size=features,
        hidden_size=hidden,
        num_layers=1,
        dropout=0.0,
        bidirectional=False,
    )
    hs, h, c = results
    hs, final = hs.swapaxes(0, 1), LSTMState(h[0], c[0])
    if valid is not None:
        hs = select(valid, hs, jnp.zeros_like(hs))
        final = select(valid.any(0), final, state)
    return final, hs[::-1] if reverse else hs


def flat(params: LSTMParams) -> Array:
    """Lay parameters into cuDNN's one vector: W_ih (4H, D), W_hh (4H, H), b_ih, b_hh of zeros."""
    width = params.recurrent_kernel.shape[1]
    bias = jnp.zeros(width, params.input_kernel.dtype) if params.bias is None else params.bias
    kernels = params.input_kernel.T.ravel(), params.recurrent_kernel.T.ravel()
    return jnp.concatenate([*kernels, bias, jnp.zeros_like(bias)])
