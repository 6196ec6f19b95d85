"""Functions that run whole sequences: `lstm`, `gru`, `rnn`, `mgu`, and `run` for any cell.

The records of the package's cells come first. The implementation of the recurrence is chosen here,
once, and passed down.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol, Unpack, overload

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax import cells, conv, gated, initializers, mogrifier
from lstm_jax.cells import (
    Affine,
    Cell,
    LSTMActivations,
    LSTMParams,
    LSTMState,
    P,
    RNNParams,
    RNNState,
    S,
    X,
)
from lstm_jax.engines import choose, cudnn, fused
from lstm_jax.engines.choose import Explanation, Implementation, RunOptions
from lstm_jax.engines.native import engine as native
from lstm_jax.gated import GRUParams, GRUState, MGUParams
from lstm_jax.named import bind, known
from lstm_jax.recurrence import check_axes, initial_like, scan
from lstm_jax.spelling import named_options
from lstm_jax.trees import Tree

# --- the records ---------------------------------------------------------------------------------


@cache
def lstm_cell(
    activations: LSTMActivations = cells.TEXTBOOK,
) -> Cell[LSTMParams, LSTMState, Array]:
    """Return the `Cell` of the LSTM.

    Args:
        activations: functions used instead of σ and tanh.

    Returns:
        The cell; the same object for the same functions, so that compiled programs are reused.
    """
    activations = LSTMActivations(*map(known, activations))
    bindings = {} if activations == cells.TEXTBOOK else {"activations": activations}
    return Cell(
        bind(cells.lstm_step, **bindings),
        initializers.init_lstm,
        cells.zero_hc,
        affine=Affine(bind(cells.lstm_pointwise, **bindings), without=("norm",)),
        gates=bind(cells.lstm_gates, **bindings),
        masks_h=True,
        textbook=None if bindings else "lstm",
    )


@cache
def rnn_cell(activation: cells.Activation = jnp.tanh) -> Cell[RNNParams, RNNState, Array]:
    """Return the `Cell` of the vanilla RNN.

    Args:
        activation: function used instead of tanh.

    Returns:
        The cell.
    """
    activation = known(activation)
    bindings = {} if activation is jnp.tanh else {"activation": activation}
    return Cell(
        bind(cells.rnn_step, **bindings),
        initializers.init_rnn,
        cells.zero_h,
        affine=Affine(bind(cells.rnn_pointwise, **bindings)),
        masks_h=True,
        textbook=None if bindings else "rnn",
    )


@cache
def gru_cell(reset_after: bool = True) -> Cell[GRUParams, GRUState, Array]:
    """Return the `Cell` of the GRU.

    Args:
        reset_after: whether the reset gate acts after the matrix product; the variant with the
            reset before it has no affine form.

    Returns:
        The cell.
    """
    if not reset_after:
        init = bind(initializers.init_gru, recurrent_bias=False)
        return Cell(bind(gated.gru_step, reset_after=False), init, gated.gru_zero)
    return Cell(
        gated.gru_step,
        initializers.init_gru,
        gated.gru_zero,
        affine=Affine(gated.gru_pointwise, gated.gru_split, padded=True),
        textbook="gru",
    )


@cache
def mgu_cell() -> Cell[MGUParams, GRUState, Array]:
    """Return the `Cell` of the minimal gated unit.

    Returns:
        The cell.
    """
    return Cell(gated.mgu_step, initializers.init_mgu, gated.gru_zero)


def conv_lstm_cell(
    window: tuple[int, ...] = (3, 3),
) -> Cell[conv.ConvLSTMParams, LSTMState, Array]:
    """Return the `Cell` of the convolutional LSTM.

    Args:
        window: size of the kernels, along one to three axes.

    Returns:
        The cell.

    Raises:
        ValueError: if there are not one to three sizes of at least 1.
    """
    conv.check_window(window)
    return _conv_lstm_cell(tuple(window))


@cache
def _conv_lstm_cell(window: tuple[int, ...]) -> Cell[conv.ConvLSTMParams, LSTMState, Array]:
    return Cell(
        conv.conv_lstm_step,
        bind(conv.init_conv_lstm, window=window),
        cells.zero_hc,
        masks_h=True,
        space=len(window),
    )


@cache
def mogrifier_cell() -> Cell[mogrifier.MogrifierParams, LSTMState, Array]:
    """Return the `Cell` of the mogrifier LSTM; `rounds` is an option of its `init`.

    Returns:
        The cell.
    """
    return Cell(mogrifier.mogrifier_step, mogrifier.init_mogrifier)


# --- whole sequences -----------------------------------------------------------------------------


@named_options(RunOptions)
def run(
    cell: Cell[P, S, X],
    params: P,
    xs: Tree,
    state: S | None = None,
    implementation: Implementation | None = None,
    **options: Unpack[RunOptions],
) -> tuple[S, Tree]:
    """Run any `Cell` over a time-major sequence.

    Args:
        cell: a cell such as `lstm_cell()`, or one of your own.
        params: parameters of the cell's step.
        xs: inputs (T, ..., D). If the step takes a pytree, such as (inputs, keys), xs may be one,
            and `state` is then required.
        state: initial state, leaves (..., H); `cell.zero(params, xs)` if None.
        implementation: as in `lstm`.
        **options: as in `lstm`.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H), or the stacked results of `emit`.

    Raises:
        TypeError, ValueError: if the implementation is unknown or cannot run this call, or shapes
            or dtypes do not fit.
    """
    choose.check_known(implementation)
    state, _ = start(cell, params, xs, state)
    chosen = choose.choose(implementation, cell, params, xs, state, options)
    return dispatch(chosen, cell, params, xs, state, options)


def start(
    cell: Cell[P, S, X], params: P, xs: Array, state: S | None, initial: Tree | None = None
) -> tuple[S, S | None]:
    """Determine the state at the start of a sequence, and the state after a reset.

    Args:
        cell, params, xs: as in `run`.
        state: state at the start; `initial` if None, or zeros if both are None.
        initial: state at resets, and at the start if `state` is None; leaves (H,) or (..., H),
            zeros if None.

    Returns:
        `(state, initial)`. If `initial` is passed, it has the shapes and dtypes of the zero state;
        otherwise it stays None, which means zeros.

    Raises:
        TypeError: if the inputs are not an array.
        ValueError: if a state does not have the structure and shapes that the cell expects.
    """
    if state is not None:
        check_state(cell, params, xs, state)
    if state is not None and initial is None:
        return state, None
    check_array(xs, "(T, ..., D)")
    zeros = cell.zero(params, xs)
    if initial is None:
        return zeros, None
    at_reset = initial_like(initial, zeros)
    return (at_reset if state is None else state), at_reset


def check_array(xs: object, axes: str) -> None:
    """Raise a TypeError if the inputs are not an array; `axes` names the expected axes."""
    if not hasattr(xs, "dtype"):
        raise TypeError(
            f"xs must be an array {axes}, got a {type(xs).__name__}; pass jnp.asarray(xs), or "
            "make one batch of sequences of different lengths with lstm_jax.pad"
        )


def check_state(cell: Cell[P, S, X], params: P, xs: Tree, state: Tree) -> None:
    """Raise a ValueError that describes the expected state if `state` does not match it.

    Args:
        cell, params, xs: as in `run`; if xs is a pytree, only its batch axes are checked.
        state: the state to check.
    """
    check_batch(xs, state)
    if not hasattr(xs, "dtype"):
        return
    expected = jax.eval_shape(cell.zero, params, xs)
    if jax.tree.structure(state) != jax.tree.structure(expected):
        form = ", ".join(f"{name} {leaf.shape}" for name, leaf in _named(expected))
        raise ValueError(f"state must be {type(expected).__name__}({form}), got {_describe(state)}")
    for (name, leaf), actual in zip(_named(expected), jax.tree.leaves(state), strict=True):
        if leaf.shape != jnp.shape(actual):
            raise ValueError(f"state.{name} must have shape {leaf.shape}, got {jnp.shape(actual)}")


def _describe(state: Tree) -> str:
    """Describe an object passed as a state, and suggest the state if the mistake is a known one."""
    if hasattr(state, "shape"):
        return f"an array of shape {jnp.shape(state)}"
    shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(state))
    description = f"a {type(state).__name__} of arrays {shapes}"
    if type(state) is not tuple:
        return description
    if len(state) == 1 and hasattr(state[0], "h"):
        return f"{description}; the state of one layer is state[0]"
    return f"{description}; PyTorch's (h0, c0) is LSTMState(h0[0], c0[0])"


def _named(tree: Tree) -> list[tuple[str, jax.ShapeDtypeStruct]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]


def dispatch(
    chosen: Implementation, cell: Cell[P, S, X], params: P, xs: Tree, state: S, options: RunOptions
) -> tuple[S, Tree]:
    """Run a cell by an implementation that supports this call; arguments as in `run`."""
    check_axes(state, **{name: options.get(name) for name in ("lengths", "mask", "resets")})
    if chosen == "scan":
        return scan(cell.step, params, xs, state, **options)
    known = {name: value for name, value in options.items() if name not in ("emit", "per_row")}
    if chosen == "fused":
        return fused.run(cell, params, xs, state, **known)  # type: ignore[arg-type]
    if chosen == "native":
        return fused.run(cell, params, xs, state, loop=native.scan, **known)  # type: ignore[arg-type]
    supported = {name: known[name] for name in ("lengths", "reverse") if name in known}
    return cudnn.lstm(params, xs, state, **supported)  # type: ignore[arg-type]


def check_batch(xs: Tree, state: Tree) -> None:
    """Raise a ValueError if a leaf of the state does not have the batch axes of the inputs.

    Args:
        xs: leaves (T, ..., D).
        state: leaves (..., H); the spatial axes of images count as batch axes.
    """
    first = jax.tree.leaves(xs)[0]
    batch = jnp.shape(first)[1:-1]
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if jnp.shape(leaf)[: len(batch)] != batch or jnp.ndim(leaf) <= len(batch):
            raise ValueError(
                f"state{jax.tree_util.keystr(path)} has shape {jnp.shape(leaf)}; its batch axes "
                f"must be {batch}, those of xs {jnp.shape(first)}"
            )


@named_options(RunOptions)
def lstm(
    params: LSTMParams,
    xs: Array,
    state: LSTMState | None = None,
    *,
    activations: LSTMActivations = cells.TEXTBOOK,
    implementation: Implementation | None = None,
    **options: Unpack[RunOptions],
) -> tuple[LSTMState, Array]:
    """Run an LSTM over a time-major sequence.

    Args:
        params: kernels (D, 4H) and (H, 4H), bias (4H,), and the options of `LSTMParams`.
        xs: inputs (T, ..., D).
        state: initial h and c, each (..., H); zeros if None, with c in float32 at least.
        activations: functions used instead of σ and tanh.
        implementation: "scan" is the plain loop and the reference; "fused" is faster, especially
            in gradients; "native" runs compiled kernels on a CPU; "cudnn" runs NVIDIA's kernel,
            in float32, without further options and in reverse mode only. If None, the fastest
            that supports the call is chosen; `explain` reports which and why.
        **options: `emit`, `initial`, `lengths`, `mask`, `resets`, `reverse`, `unroll`, `remat` and
            `per_row`, as in `lstm_jax.scan`; only "scan" takes `emit` and `per_row`.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H).

    Raises:
        TypeError, ValueError: if the implementation is unknown or cannot run this call, or shapes
            or dtypes do not fit.
    """
    return run(lstm_cell(activations), params, xs, state, implementation, **options)


@named_options(RunOptions)
def rnn(
    params: RNNParams,
    xs: Array,
    state: RNNState | None = None,
    *,
    activation: cells.Activation = jnp.tanh,
    implementation: Implementation | None = None,
    **options: Unpack[RunOptions],
) -> tuple[RNNState, Array]:
    """Run a vanilla RNN over a time-major sequence.

    Args:
        params: kernels (D, H) and (H, H), bias (H,).
        xs, state, implementation, **options: as in `lstm`.
        activation: function used instead of tanh.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H).

    Raises:
        TypeError, ValueError: as in `lstm`.
    """
    return run(rnn_cell(activation), params, xs, state, implementation, **options)


@named_options(RunOptions)
def gru(
    params: GRUParams,
    xs: Array,
    state: GRUState | None = None,
    *,
    reset_after: bool = True,
    implementation: Implementation | None = None,
    **options: Unpack[RunOptions],
) -> tuple[GRUState, Array]:
    """Run a GRU over a time-major sequence.

    Args:
        params: kernels (D, 3H) and (H, 3H), bias (3H,), recurrent_bias (H,).
        xs, state, implementation, **options: as in `lstm`.
        reset_after: whether the reset gate acts after the matrix product. The variant with the
            reset before it does not have the affine form, so "fused" cannot run it.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H).

    Raises:
        TypeError, ValueError: as in `lstm`.
    """
    return run(gru_cell(reset_after), params, xs, state, implementation, **options)


@named_options(RunOptions)
def mgu(
    params: MGUParams,
    xs: Array,
    state: GRUState | None = None,
    *,
    implementation: Implementation | None = None,
    **options: Unpack[RunOptions],
) -> tuple[GRUState, Array]:
    """Run a minimal gated unit over a time-major sequence.

    Args:
        params: kernels (D, 2H) and (H, 2H), bias (2H,).
        xs, state, implementation, **options: as in `lstm`.

    Returns:
        `(final_state, hs)`, with hs (T, ..., H).

    Raises:
        TypeError, ValueError: as in `lstm`.
    """
    return run(mgu_cell(), params, xs, state, implementation, **options)


class Layer(Protocol):
    """Describe a layer that can explain how it would run, such as an `LSTM`."""

    def explain(self, xs: Array, /) -> Sequence[Explanation]: ...


@overload
def explain(cell: Layer, params: Array, /) -> Sequence[Explanation]: ...
@overload
def explain(
    cell: Cell[P, S, X],
    params: P,
    xs: Tree,
    state: S | None = None,
    implementation: Implementation | None = None,
    **options: Unpack[RunOptions],
) -> Explanation: ...
@named_options(RunOptions)
def explain(cell, params, xs=None, state=None, implementation=None, **options: Unpack[RunOptions]):
    """Report which implementation a call would use, and why it cannot use the others.

        print(lstm_jax.explain(layer, xs))  # an LSTM and its batch
        print(lstm_jax.explain(lstm_jax.lstm_cell(), params, xs))  # a cell, as in `run`

    Args:
        cell: a layer, such as `LSTM(8, 32, rngs=rngs)`, or a cell, such as `lstm_cell()`.
        params: the inputs of the layer, or the parameters of the cell.
        xs, state, implementation, **options: for a cell, as in `run`; for a layer, only the
            options lengths, mask and resets.

    Returns:
        An `Explanation` to print; for a layer, one for each of its layers and directions.

    Raises:
        TypeError: if `cell` is neither a layer nor a cell, a cell is passed without inputs, or a
            layer with arguments of a cell.
        ValueError: if xs is not (T, ..., D) and there is no state, or the implementation is
            unknown.
    """
    if not isinstance(cell, Cell):
        if not hasattr(cell, "explain"):
            raise TypeError(
                f"explain takes a layer and its inputs, or a Cell, its parameters and its inputs; "
                f"got a {type(cell).__name__}"
            )
        if not (xs is state is implementation is None):
            raise TypeError("explain(layer, xs) takes lengths, mask and resets, and nothing else")
        return cell.explain(params, **options)
    if xs is None:
        raise TypeError("explain needs the parameters and the inputs of a Cell")
    state, _ = start(cell, params, xs, state)
    return choose.explain(implementation, cell, params, xs, state, options)
