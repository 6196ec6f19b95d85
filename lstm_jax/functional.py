"""`lstm`, `gru`, `rnn` and `mgu`: whole-sequence functions that choose how the recurrence runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from lstm_jax import cells
from lstm_jax.cells import (
    GRUParams,
    GRUState,
    LSTMActivations,
    LSTMParams,
    LSTMState,
    MGUParams,
    RNNParams,
    RNNState,
)
from lstm_jax.engines import choose as implementations
from lstm_jax.engines import cudnn
from lstm_jax.engines.choose import IMPLEMENTATIONS, Explanation, Implementation
from lstm_jax.engines.fused import Kernels, Pointwise, affine_scan
from lstm_jax.recurrence import Step, controls, hidden, hide, initial_like, scan
from lstm_jax.remat import Remat, in_chunks


class Cell(NamedTuple):
    """A recurrence: its `step`, the type of its state, and what else it has.

    A wrapper of the step makes another cell: `cell._replace(step=wrapped, pointwise=None)`.

    Attributes:
        pointwise: of a cell of the affine form, what comes after z.
        gates: `(params, state, x) -> gates`, for those who look on.
        affine: `params -> (input_kernel, recurrent_kernel, bias)` that make z, where they are not
            the parameters of these names.
    """

    step: Step
    state_type: Any
    pointwise: Pointwise | None = None
    gates: Any = None
    affine: Callable[[Any], Kernels] | None = None


def lstm_cell(activations: LSTMActivations = cells.TEXTBOOK) -> Cell:
    """The LSTM, with other functions than σ and tanh if wanted."""
    if activations == cells.TEXTBOOK:
        return Cell(cells.lstm_step, LSTMState, cells.lstm_pointwise, cells.lstm_gates)
    functions = cells.lstm_step, cells.lstm_pointwise, cells.lstm_gates
    step, pointwise, gates = (partial(f, activations=activations) for f in functions)
    return Cell(step, LSTMState, pointwise, gates)


def rnn_cell(activation: cells.Activation = jnp.tanh) -> Cell:
    """The vanilla RNN, with another function than tanh if wanted."""
    if activation is jnp.tanh:
        return Cell(cells.rnn_step, RNNState, cells.rnn_pointwise)
    functions = cells.rnn_step, cells.rnn_pointwise
    step, pointwise = (partial(f, activation=activation) for f in functions)
    return Cell(step, RNNState, pointwise)


def gru_cell(reset_after: bool = True) -> Cell:
    """The GRU, in either variant."""
    if reset_after:
        return Cell(cells.gru_step, GRUState, cells.gru_pointwise, affine=cells.gru_affine)
    return Cell(partial(cells.gru_step, reset_after=False), GRUState)


def mgu_cell() -> Cell:
    """The minimal gated unit."""
    return Cell(cells.mgu_step, GRUState)


def lstm(
    params: LSTMParams,
    xs: Array,
    state: LSTMState | None = None,
    *,
    activations: LSTMActivations = cells.TEXTBOOK,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[LSTMState, Array]:
    """Run an LSTM over a time-major sequence.

    Args:
        params: kernels (D, 4H) and (H, 4H), bias (4H,), and what options `LSTMParams` has.
        xs: (T, ..., D).
        state: h and c, each (..., H); zeros if None, c in float32 at least.
        activations: in place of σ and tanh.
        implementation: "scan" is the plain loop, the reference; "fused" is faster, above all in
            its gradients; "cudnn" is NVIDIA's kernel, for float32 without further options, and
            reverse mode only. None is "fused" where that can be, else "scan"; `explain` tells.
        **options: `emit`, `initial`, `lengths`, `mask`, `resets`, `reverse`, `unroll`, `remat` of
            `lstm_jax.scan`; "fused" takes no `emit`.

    Returns:
        `(final_state, hs)`, hs (T, ..., H).

    Raises:
        ValueError: an unknown implementation, one that cannot do what is asked, or shapes that
            do not fit.
    """
    return run(lstm_cell(activations), params, xs, state, implementation, **options)


def rnn(
    params: RNNParams,
    xs: Array,
    state: RNNState | None = None,
    *,
    activation: cells.Activation = jnp.tanh,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[RNNState, Array]:
    """Run a vanilla RNN over a time-major sequence; arguments as in `lstm`, kernels (·, H)."""
    return run(rnn_cell(activation), params, xs, state, implementation, **options)


def gru(
    params: GRUParams,
    xs: Array,
    state: GRUState | None = None,
    *,
    reset_after: bool = True,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[GRUState, Array]:
    """Run a GRU over a time-major sequence; arguments as in `lstm`, kernels (·, 3H).

    With the reset before the product, the GRU is not of the affine form and "fused" refuses it.
    """
    return run(gru_cell(reset_after), params, xs, state, implementation, **options)


def mgu(
    params: MGUParams,
    xs: Array,
    state: GRUState | None = None,
    *,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[GRUState, Array]:
    """Run a minimal gated unit over a time-major sequence; arguments as in `gru`."""
    return run(mgu_cell(), params, xs, state, implementation, **options)


def zero_state(cell: Cell, params: Any, xs: Array) -> Any:
    """The zero state for `xs` (T, ..., D): leaves (..., H), in the promoted dtype and its sharding.

    The cell state c is float32 at least: sums of many small terms are no matter for bfloat16.

    Raises:
        ValueError: where xs has fewer than two axes.
    """
    if jnp.ndim(xs) < 2:
        raise ValueError(f"xs must be (T, ..., D), got shape {jnp.shape(xs)}")
    dtype = jnp.result_type(xs, params.input_kernel)
    batch = jnp.shape(xs)[1:-1]
    widths = {"h": params.recurrent_kernel.shape[0]}
    widths["c"] = getattr(params, "hidden_features", widths["h"])
    dtypes = {"h": dtype, "c": jnp.promote_types(dtype, jnp.float32)}
    # Like xs, because inside shard_map a state varies over the axes of the mesh that xs does.
    return cell.state_type(
        *(
            jnp.zeros_like(xs, dtypes[n], (*batch, widths[n]), device=_sharding(xs, params))
            for n in cell.state_type._fields
        )
    )


def _sharding(xs: Array, params: Any) -> Any:
    """Of a state, where JAX has it in the type: the batch axes of xs, the columns of the kernel."""
    sharding = jax.typeof(xs).sharding
    if AxisType.Explicit not in sharding.mesh.axis_types:
        return None
    columns = jax.typeof(params.recurrent_kernel).sharding.spec[-1:]
    return NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[1:-1], *columns))


def explain(
    cell: Cell,
    params: Any,
    xs: Any,
    state: Any = None,
    implementation: Implementation | None = None,
    **options: Any,
) -> Explanation:
    """Which implementation a call would take, and what stands in the way of the others.

    Args:
        cell: such as `lstm_cell()`.
        params, xs, state, implementation, **options: as in `lstm`.

    Returns:
        An `Explanation`; printed, it says everything.
    """
    state = zero_state(cell, params, xs) if state is None else state
    return implementations.explain(cell, params, xs, state, implementation, options)


def run(
    cell: Cell,
    params: Any,
    xs: Any,
    state: Any = None,
    implementation: Implementation | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Run any `Cell` over a time-major sequence; arguments as in `lstm`.

    xs may be a pytree, such as (inputs, keys), where the step takes one; it then needs a `state`.
    """
    if implementation not in (None, *IMPLEMENTATIONS):
        raise ValueError(
            f"implementation must be None or one of {', '.join(IMPLEMENTATIONS)}, "
            f"got {implementation!r}"
        )
    if state is None:
        state = zero_state(cell, params, xs)
    batch = jnp.shape(jax.tree.leaves(xs)[0])[1:-1]
    if state.h.shape[:-1] != batch:
        raise ValueError(
            f"state.h has shape {state.h.shape}; its batch axes must be {batch}, "
            f"those of xs {jnp.shape(jax.tree.leaves(xs)[0])}"
        )
    if implementation is None:
        implementation = implementations.best(cell, params, xs, **options)
    found = implementations.obstacle(implementation, cell, params, xs, state, options)
    if found:
        raise ValueError(f'{found}; use implementation="scan"')
    if implementation == "scan":
        return scan(cell.step, params, xs, state, **options)
    if implementation == "cudnn":
        kept = {name: options[name] for name in ("lengths", "reverse") if name in options}
        return cudnn.lstm(params, xs, state, **kept)
    return _fused(cell, params, xs, state, **options)


def _fused(
    cell: Cell,
    params: Any,
    xs: Array,
    state: Any,
    *,
    emit: Any = hidden,
    initial: Any = None,
    lengths: Array | None = None,
    mask: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    remat: Remat = None,
) -> tuple[Any, Array]:
    del emit
    cells.check_features(params, state.h, xs)
    valid, starts = controls(xs, lengths=lengths, mask=mask, resets=resets, reverse=reverse)
    initial = initial_like(initial, state)
    kernels = (params.input_kernel, params.recurrent_kernel, params.bias)
    kernels = kernels if cell.affine is None else cell.affine(params)
    extra = replace(params, input_kernel=None, recurrent_kernel=None, bias=None)
    options = {"reverse": reverse, "unroll": unroll}

    def some(state, inputs):
        xs, valid, starts = inputs
        return affine_scan(
            cell.pointwise, kernels, extra, xs, state, initial, valid, starts, **options
        )

    inputs = hide(valid, xs), valid, starts
    return in_chunks(some, state, inputs, remat=remat, reverse=reverse)
