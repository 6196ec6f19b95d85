"""`lstm`, `gru` and `rnn`: whole-sequence functions that choose how the recurrence runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

from lstm_jax import cells
from lstm_jax.cells import GRUParams, GRUState, LSTMParams, LSTMState, RNNParams, RNNState
from lstm_jax.fused import affine_scan
from lstm_jax.recurrence import controls, hidden, hide, initial_like, scan

Implementation = Literal["scan", "fused"]
IMPLEMENTATIONS = ("scan", "fused")


def lstm(
    params: LSTMParams,
    xs: Array,
    state: LSTMState | None = None,
    *,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[LSTMState, Array]:
    """Run an LSTM over a time-major sequence.

    Args:
        params: kernels (D, 4H) and (H, 4H), bias (4H,).
        xs: (T, ..., D).
        state: h and c, each (..., H); zeros if None.
        implementation: "scan" goes through every transformation of JAX; "fused" is faster under
            reverse-mode differentiation and refuses forward mode. None is "scan".
        **options: `emit`, `initial`, `lengths`, `mask`, `resets`, `reverse`, `unroll` of
            `lstm_jax.scan`; "fused" takes no `emit`.

    Returns:
        `(final_state, hs)`, hs (T, ..., H).

    Raises:
        ValueError: an unknown implementation, one that cannot do what is asked, or shapes that
            do not fit.
    """
    return _run(cells.lstm_step, cells.lstm_pointwise, LSTMState, params, xs, state,
                implementation, options)  # fmt: skip


def rnn(
    params: RNNParams,
    xs: Array,
    state: RNNState | None = None,
    *,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[RNNState, Array]:
    """Run a vanilla tanh RNN over a time-major sequence; arguments as in `lstm`, kernels (·, H)."""
    return _run(cells.rnn_step, cells.rnn_pointwise, RNNState, params, xs, state,
                implementation, options)  # fmt: skip


def gru(
    params: GRUParams,
    xs: Array,
    state: GRUState | None = None,
    *,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[GRUState, Array]:
    """Run a GRU over a time-major sequence; arguments as in `lstm`, kernels (·, 3H).

    The reset gate multiplies inside the candidate's product, so the GRU is not of the affine form
    and "fused" refuses it.
    """
    return _run(cells.gru_step, None, GRUState, params, xs, state, implementation, options)


def zero_state(state_type: Any, params: Any, xs: Array) -> Any:
    """The zero state for `xs` (T, ..., D): leaves (..., H), in the promoted dtype.

    Raises:
        ValueError: where xs has fewer than two axes.
    """
    if jnp.ndim(xs) < 2:
        raise ValueError(f"xs must be (T, ..., D), got shape {jnp.shape(xs)}")
    dtype = jnp.result_type(xs, params.input_kernel)
    shape = (*xs.shape[1:-1], params.recurrent_kernel.shape[0])
    return state_type(*(jnp.zeros(shape, dtype) for _ in state_type._fields))


def _run(step, pointwise, state_type, params, xs, state, implementation, options):
    if implementation not in (None, *IMPLEMENTATIONS):
        raise ValueError(
            f"implementation must be None or one of {', '.join(IMPLEMENTATIONS)}, "
            f"got {implementation!r}"
        )
    if state is None:
        state = zero_state(state_type, params, xs)
    if state.h.shape[:-1] != jnp.shape(xs)[1:-1]:
        raise ValueError(
            f"state.h has shape {state.h.shape}; its batch axes must be {jnp.shape(xs)[1:-1]}, "
            f"those of xs {jnp.shape(xs)}"
        )
    if implementation != "fused":
        return scan(step, params, xs, state, **options)
    if pointwise is None:
        raise ValueError(f'{step.__name__} has no fused path; use implementation="scan"')
    if options.get("emit", hidden) is not hidden:
        raise ValueError('emit and implementation="fused" do not go together; use "scan"')
    return _fused(pointwise, params, xs, state, **options)


def _fused(
    pointwise, params, xs, state, *, emit=hidden, initial=None, lengths=None, mask=None,
    resets=None, reverse=False, unroll=1,
):  # fmt: skip
    del emit
    cells.check_features(params, state.h, xs)
    if getattr(params, "norm", None) is not None:
        raise ValueError(
            'layer normalisation and implementation="fused" do not go together; use "scan"'
        )
    valid, starts = controls(xs, lengths=lengths, mask=mask, resets=resets, reverse=reverse)
    initial = initial_like(initial, state)
    kernels = (params.input_kernel, params.recurrent_kernel, params.bias)
    extra = replace(params, input_kernel=None, recurrent_kernel=None, bias=None)
    xs = hide(valid, xs)
    return affine_scan(
        pointwise, kernels, extra, xs, state, initial, valid, starts, reverse=reverse, unroll=unroll
    )
