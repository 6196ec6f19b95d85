"""`lstm`, `gru`, `rnn`, `mgu`: whole sequences, and `run`, which they are for any cell.

Each cell's record stands above its function. How the recurrence runs is chosen here, once, and
handed down.
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
    """Make the LSTM's record.

    Args:
        activations: in place of σ and tanh.

    Returns:
        The same record for the same functions, so that what is compiled for it is found again.
    """
    activations = LSTMActivations(*map(known, activations))
    others = {} if activations == cells.TEXTBOOK else {"activations": activations}
    return Cell(
        bind(cells.lstm_step, **others),
        initializers.init_lstm,
        cells.zero_hc,
        affine=Affine(bind(cells.lstm_pointwise, **others), without=("norm",)),
        gates=bind(cells.lstm_gates, **others),
        masks_h=True,
        textbook=None if others else "lstm",
    )


@cache
def rnn_cell(activation: cells.Activation = jnp.tanh) -> Cell[RNNParams, RNNState, Array]:
    """Make the vanilla RNN's record.

    Args:
        activation: in place of tanh.

    Returns:
        The record.
    """
    activation = known(activation)
    others = {} if activation is jnp.tanh else {"activation": activation}
    return Cell(
        bind(cells.rnn_step, **others),
        initializers.init_rnn,
        cells.zero_h,
        affine=Affine(bind(cells.rnn_pointwise, **others)),
        masks_h=True,
        textbook=None if others else "rnn",
    )


@cache
def gru_cell(reset_after: bool = True) -> Cell[GRUParams, GRUState, Array]:
    """Make the GRU's record.

    Args:
        reset_after: which variant; with the reset before the product it has no affine form.

    Returns:
        The record.
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
    """Make the minimal gated unit's record.

    Returns:
        The record.
    """
    return Cell(gated.mgu_step, initializers.init_mgu, gated.gru_zero)


@cache
def conv_lstm_cell(
    window: tuple[int, ...] = (3, 3),
) -> Cell[conv.ConvLSTMParams, LSTMState, Array]:
    """Make the convolutional LSTM's record.

    Args:
        window: the kernels' size, one to three axes.

    Returns:
        The record.
    """
    return Cell(
        conv.conv_lstm_step,
        bind(conv.init_conv_lstm, window=window),
        cells.zero_hc,
        masks_h=True,
        space=len(window),
    )


@cache
def mogrifier_cell() -> Cell[mogrifier.MogrifierParams, LSTMState, Array]:
    """Make the mogrifier LSTM's record; `rounds` is an option of its `init`.

    Returns:
        The record.
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
        cell: such as `lstm_cell()`, or your own.
        params: as the cell's step takes them.
        xs: (T, ..., D); or a pytree, such as (inputs, keys), where the step takes one: it then
            needs a `state`.
        state: leaves (..., H); `cell.zero(params, xs)` if None.
        implementation: as in `lstm`.
        **options: as in `lstm`.

    Returns:
        `(final_state, hs)`, hs (T, ..., H), or what `emit` gives.

    Raises:
        TypeError, ValueError: an unknown implementation, one that cannot do what is asked, or
            shapes and dtypes that do not fit.
    """
    choose.check_known(implementation)
    state, _ = start(cell, params, xs, state)
    chosen = choose.choose(implementation, cell, params, xs, state, options)
    return dispatch(chosen, cell, params, xs, state, options)


def start(
    cell: Cell[P, S, X], params: P, xs: Array, state: S | None, initial: Tree | None = None
) -> tuple[S, S | None]:
    """Decide the state that a sequence begins with, and the one that it has after a reset.

    Args:
        cell, params, xs: of the call.
        state: to begin with; `initial` if None, or zeros if that is None too.
        initial: at resets, and at the start, leaves (H,) or (..., H); zeros if None.

    Returns:
        `(state, initial)`, both in the shapes and dtypes of the zero state where initial is given;
        its None stays None, which is zeros.

    Raises:
        TypeError: inputs that are no array.
        ValueError: a state or an initial state of another structure or shape than the cell's.
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
    """Raise a TypeError for inputs that are no array; `axes` are those of what is wanted."""
    if not hasattr(xs, "dtype"):
        raise TypeError(
            f"xs must be an array {axes}, got a {type(xs).__name__}: give jnp.asarray(xs), or "
            "for sequences of different lengths the batch that lstm_jax.pad makes of them"
        )


def check_state(cell: Cell[P, S, X], params: P, xs: Tree, state: Tree) -> None:
    """Raise a ValueError where a state is not of the cell's form; say what the form is.

    Args:
        cell, params, xs: of the call; of inputs that are no array only the batch axes are known.
        state: what was given.
    """
    check_batch(xs, state)
    if not hasattr(xs, "dtype"):
        return
    wanted = jax.eval_shape(cell.zero, params, xs)
    if jax.tree.structure(state) != jax.tree.structure(wanted):
        form = ", ".join(f"{name} {leaf.shape}" for name, leaf in _named(wanted))
        raise ValueError(f"state must be {type(wanted).__name__}({form}), got {_words(state)}")
    for (name, leaf), found in zip(_named(wanted), jax.tree.leaves(state), strict=True):
        if leaf.shape != jnp.shape(found):
            raise ValueError(f"state.{name} has shape {jnp.shape(found)}; it must be {leaf.shape}")


def _words(state: Tree) -> str:
    """Say what was given in place of a state, and what to give if that is clear."""
    if hasattr(state, "shape"):
        return f"an array of shape {jnp.shape(state)}"
    shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(state))
    said = f"a {type(state).__name__} of arrays {shapes}"
    if type(state) is not tuple:
        return said
    if len(state) == 1 and hasattr(state[0], "h"):
        return f"{said}; the state of one layer is state[0]"
    return f"{said}; PyTorch's (h0, c0) is LSTMState(h0[0], c0[0])"


def _named(tree: Tree) -> list[tuple[str, jax.ShapeDtypeStruct]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]


def dispatch(
    chosen: Implementation, cell: Cell[P, S, X], params: P, xs: Tree, state: S, options: RunOptions
) -> tuple[S, Tree]:
    """Run a cell by an implementation that is known to be able to; arguments as in `run`."""
    check_axes(state, **{name: options.get(name) for name in ("lengths", "mask", "resets")})
    if chosen == "scan":
        return scan(cell.step, params, xs, state, **options)
    known = {name: value for name, value in options.items() if name not in ("emit", "per_row")}
    if chosen == "fused":
        return fused.run(cell, params, xs, state, **known)  # type: ignore[arg-type]
    if chosen == "native":
        return fused.run(cell, params, xs, state, loop=native.scan, **known)  # type: ignore[arg-type]
    taken = {name: known[name] for name in ("lengths", "reverse") if name in known}
    return cudnn.lstm(params, xs, state, **taken)  # type: ignore[arg-type]


def check_batch(xs: Tree, state: Tree) -> None:
    """Raise a ValueError for a leaf of the state without the batch axes of the inputs.

    Args:
        xs: leaves (T, ..., D).
        state: leaves (..., H); of images, their axes count as batch axes.
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
        params: kernels (D, 4H) and (H, 4H), bias (4H,), and what options `LSTMParams` has.
        xs: (T, ..., D).
        state: h and c, each (..., H); zeros if None, c in float32 at least.
        activations: in place of σ and tanh.
        implementation: "scan" is the plain loop, the reference; "fused" is faster, above all in
            its gradients; "cudnn" is NVIDIA's kernel, for float32 without further options, and
            reverse mode only. None is "fused" where that can be, else "scan"; `explain` tells.
        **options: `emit`, `initial`, `lengths`, `mask`, `resets`, `reverse`, `unroll`, `remat`,
            `per_row` of `lstm_jax.scan`; "fused" takes neither `emit` nor `per_row`.

    Returns:
        `(final_state, hs)`, hs (T, ..., H).

    Raises:
        TypeError, ValueError: an unknown implementation, one that cannot do what is asked, or
            shapes and dtypes that do not fit.
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
        activation: in place of tanh.

    Returns:
        `(final_state, hs)`, hs (T, ..., H).

    Raises:
        TypeError, ValueError: as `lstm`.
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
        reset_after: which variant. With the reset before the product, the GRU is not of the
            affine form and "fused" refuses it.

    Returns:
        `(final_state, hs)`, hs (T, ..., H).

    Raises:
        TypeError, ValueError: as `lstm`.
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
        `(final_state, hs)`, hs (T, ..., H).

    Raises:
        TypeError, ValueError: as `lstm`.
    """
    return run(mgu_cell(), params, xs, state, implementation, **options)


class Layer(Protocol):
    """Layers that know how they would run, such as an `LSTM`."""

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
    """Say which implementation a call would take, and what stands in the way of the others.

        print(lstm_jax.explain(layer, xs))  # an LSTM and its batch
        print(lstm_jax.explain(lstm_jax.lstm_cell(), params, xs))  # a cell, as `run` takes it

    Args:
        cell: a layer, such as `LSTM(8, 32, rngs=rngs)`; or a cell, such as `lstm_cell()`.
        params: of a layer its inputs; of a cell its parameters.
        xs, state, implementation, **options: of a cell, as in `run`.

    Returns:
        An `Explanation`, of a layer one for each of its layers and directions; printed, it says
        everything.

    Raises:
        TypeError: what is neither a layer nor a cell, or a cell without inputs.
        ValueError: where xs is not (T, ..., D) and there is no state.
    """
    if not isinstance(cell, Cell):
        if not hasattr(cell, "explain"):
            raise TypeError(
                f"explain takes a layer and its inputs, or a Cell, its parameters and its inputs; "
                f"got a {type(cell).__name__}"
            )
        return cell.explain(params)
    if xs is None:
        raise TypeError("of a Cell, explain takes its parameters and its inputs too")
    state, _ = start(cell, params, xs, state)
    return choose.explain(implementation, cell, params, xs, state, options)
