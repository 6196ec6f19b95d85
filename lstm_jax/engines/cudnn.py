"""NVIDIA's kernels for an LSTM, through `jax.experimental.rnn`.

cuDNN computes the textbook LSTM in float32 (in TF32 if JAX's matmul precision allows it), with
right-padded lengths and no other mask; one call runs one layer here. It supports reverse mode only,
and has no batching rule.
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
    """Run an LSTM layer as one kernel, with the same result as `lstm_jax.lstm`.

    Args:
        params: kernels (D, 4H), (H, 4H) and bias (4H,) or None, in float32, without options.
        xs: (T, B, D), float32.
        state: h and c, each (B, H), float32.
        lengths: (B,) integers; not supported together with `reverse`.
        reverse: whether to run from the last step to the first.

    Returns:
        `(final_state, hs)`, with hs (T, B, H).
    """
    steps, batch, features = xs.shape
    hidden = params.hidden_features
    valid, _ = controls(xs, lengths=lengths, mask=None, resets=None, reverse=False)
    xs = xs if valid is None else select(valid, xs, jnp.zeros_like(xs))
    # cuDNN cannot read a sequence without steps: it reads one step of zeros, corrected below.
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
    """Pack parameters into cuDNN's vector: W_ih (4H, D), W_hh (4H, H), b_ih, and b_hh of zeros."""
    width = params.recurrent_kernel.shape[1]
    bias = jnp.zeros(width, params.input_kernel.dtype) if params.bias is None else params.bias
    kernels = params.input_kernel.T.ravel(), params.recurrent_kernel.T.ravel()
    return jnp.concatenate([*kernels, bias, jnp.zeros_like(bias)])
