"""An LSTM that begins as an orthogonal recurrence, and so neither forgets nor explodes."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import LSTMParams
from lstm_jax.initializers import orthogonal_gates

OPEN = 6.0
"""Bias of an open gate: σ(6) = 0.9975. The forget gate is closed with -OPEN - 2."""
SCALE = 0.02
"""Standard deviation of the input kernel: states stay small, where tanh is nearly linear."""


def unitary(key: Array, params: LSTMParams) -> LSTMParams:
    """Replace the parameters of an LSTM by those of a nearly linear, orthogonal recurrence.

        h_t ≈ Q h_{t-1} + K x_t,  Q orthogonal

    The input and output gates are open, the forget gate is closed, and the candidate's kernel is Q
    divided by what the open gates take, so every Jacobian is close to orthogonal. The state then
    holds all past inputs, each turned by as many steps as it is old, as in the recurrent networks
    of Arjovsky et al. (2016) and Henaff et al. (2016). Training may close the gates.

    Args:
        key: a key of `jax.random`.
        params: the parameters of a plain LSTM with bias, of which the shapes and dtypes are kept.

    Returns:
        The parameters.

    Raises:
        ValueError: if the LSTM has a projection, coupled gates or no bias.
    """
    hidden, width = params.recurrent_kernel.shape
    if params.bias is None or params.projection is not None or width != 4 * hidden:
        raise ValueError(
            "params must be those of an LSTM with four gates and a bias, without projection"
        )
    input_key, turn_key = jax.random.split(key)
    dtype = params.recurrent_kernel.dtype
    turn = orthogonal_gates(turn_key, hidden, 1, dtype=dtype) / jax.nn.sigmoid(OPEN) ** 2
    drive = jax.random.normal(input_key, (params.input_kernel.shape[0], hidden), dtype) * SCALE
    bias = jnp.repeat(jnp.array([OPEN, -OPEN - 2, 0, OPEN], dtype), hidden)
    return replace(
        params,
        input_kernel=_candidate(jnp.zeros_like(params.input_kernel), drive),
        recurrent_kernel=_candidate(jnp.zeros_like(params.recurrent_kernel), turn),
        bias=bias,
    )


def _candidate(kernel: Array, block: Array) -> Array:
    """Set the columns of the candidate g in a kernel with columns i, f, g, o."""
    hidden = block.shape[1]
    return kernel.at[:, 2 * hidden : 3 * hidden].set(block.astype(kernel.dtype))
