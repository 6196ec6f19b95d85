"""Conversion of one recurrent ONNX node to our parameters and a step for each direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.cells import (
    LSTMActivations,
    LSTMParams,
    LSTMState,
    RNNParams,
    RNNState,
    affine,
    lstm_step,
    rnn_step,
)
from lstm_jax.gated import GRUParams, GRUState, gru_step
from lstm_jax.interop.arrays import reorder
from lstm_jax.interop.onnx.attributes import (
    SIDES,
    Attributes,
    Function,
    attributes_of,
    check_shape,
    functions_of,
    ranked,
)
from lstm_jax.interop.onnx.format import ONNX_PEEPHOLE_ORDER, OPERATORS, PEEPHOLE_ORDER
from lstm_jax.interop.parameters import Params
from lstm_jax.named import bind
from lstm_jax.recurrence import Step

if TYPE_CHECKING:
    from onnx import NodeProto

Arrays = Mapping[str, Array]

WEIGHTS = ("W", "R", "B", "P")
STORED = (*WEIGHTS, "initial_h", "initial_c")
"""Inputs that `read_node` reads."""


class Recurrence(NamedTuple):
    """Store one direction of a recurrent node, ready to run.

    Attributes:
        params: `LSTMParams`, `GRUParams` or `RNNParams`.
        step: `step(params, state, x)`, with the activations, clip and variant of the node.
        reverse: whether it runs from the last step to the first.
        state: initial state, leaves (B, H), if it is stored with the weights; otherwise None, which
            means zeros unless it is an input of the model.

    `scan(step, params, xs, state, reverse=reverse)` runs it.
    """

    params: Params
    step: Step
    reverse: bool
    state: LSTMState | GRUState | RNNState | None = None


def read_node(node: NodeProto, arrays: Mapping[str, Array | np.ndarray]) -> tuple[Recurrence, ...]:
    """Convert the weights of one LSTM, GRU or RNN node to our parameters, with steps.

    Args:
        node: an `onnx.NodeProto`.
        arrays: W (directions, gates · H, D), R (directions, gates · H, H) and, if the node has
            them, B (directions, 2 · gates · H) and P (directions, 3H). Also initial_h and initial_c
            (directions, B, H), or (B, directions, H) if the node's layout is 1; if only one of them
            is present, the other is zeros.

    Returns:
        One `Recurrence`, or forward and backward. The biases of W and R are summed, except for the
        candidate of a GRU with linear_before_reset. An LSTM with input_forget becomes one with
        coupled gates, whose forget columns are those of ONNX's input gate, negated.

    Raises:
        ValueError: if the operator, an attribute or an activation is unknown, a constant is
            missing, or ranks or shapes do not fit.
    """
    attributes = attributes_of(node)
    sides = SIDES[attributes.direction]
    _check_weights(node, attributes, arrays)
    functions = functions_of(node, attributes)
    recurrences = []
    weights = {name: array for name, array in arrays.items() if name in WEIGHTS}
    states = _states(node, attributes, arrays)
    for side, reverse in enumerate(sides):
        theirs = {name: array[side] for name, array in weights.items()}
        params, step = _MAKE[node.op_type](attributes, theirs, functions[side])
        params = jax.tree.map(jnp.asarray, params)
        recurrences.append(Recurrence(params, step, reverse, states[side]))
    return tuple(recurrences)


def _states(
    node: NodeProto, attributes: Attributes, arrays: Mapping[str, Array | np.ndarray]
) -> Sequence[LSTMState | GRUState | RNNState | None]:
    """Return the initial state of each direction, or None for each if none is stored."""
    sides = len(SIDES[attributes.direction])
    kind = OPERATORS[node.op_type].state
    initials = {}
    for name in (name for name in arrays if name.startswith("initial_")):
        initial = ranked(node, name, arrays[name], 3)
        initials[name] = initial.swapaxes(0, 1) if attributes.layout else initial
    if not initials:
        return [None] * sides
    batch, hidden = next(iter(initials.values())).shape[1], np.shape(arrays["R"])[-1]
    for name, initial in initials.items():
        check_shape(node, name, initial, (sides, batch, hidden))
    zeros = jnp.zeros_like(next(iter(initials.values())))
    leaves = [initials.get(f"initial_{name}", zeros) for name in kind._fields]
    return [kind(*(leaf[side] for leaf in leaves)) for side in range(sides)]


# --- the weights ---------------------------------------------------------------------------------
#
# These use only indices and operators, so that NumPy arrays are rearranged without compiling.


def _lstm(
    attributes: Attributes, arrays: Arrays, functions: list[Function]
) -> tuple[LSTMParams, Step]:
    W, R, biases = _weights("LSTM", arrays)
    peephole = None
    if "P" in arrays:
        peephole = reorder(arrays["P"], ONNX_PEEPHOLE_ORDER, PEEPHOLE_ORDER).reshape(3, -1)
    params = LSTMParams(W, R, None if biases is None else biases[0] + biases[1], peephole)
    step = lstm_step
    if attributes.input_forget:
        if functions[0].name == "Sigmoid":
            params = _coupled(params)
        else:
            step = _input_forget_step
    return params, bind(step, activations=LSTMActivations(*(each.call for each in functions)))


def _gru(
    attributes: Attributes, arrays: Arrays, functions: list[Function]
) -> tuple[GRUParams, Step]:
    W, R, biases = _weights("GRU", arrays)
    after = bool(attributes.linear_before_reset)
    bias, recurrent_bias = None, None
    if biases is not None:
        from_x, from_h = biases
        if after:  # the candidate's second bias stays inside the reset product
            hidden = from_h.shape[-1] // 3
            recurrent_bias = from_h[2 * hidden :]
            from_h = from_h * np.repeat([1, 1, 0], hidden).astype(from_h.dtype)
        bias = from_x + from_h
    params = GRUParams(W, R, bias, recurrent_bias)
    gate, activation = (function.call for function in functions)
    return params, bind(gru_step, reset_after=after, gate_activation=gate, activation=activation)


def _rnn(
    attributes: Attributes, arrays: Arrays, functions: list[Function]
) -> tuple[RNNParams, Step]:
    del attributes
    W, R, biases = _weights("RNN", arrays)
    params = RNNParams(W, R, None if biases is None else biases[0] + biases[1])
    return params, bind(rnn_step, activation=functions[0].call)


_MAKE = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


def _weights(operator: str, arrays: Arrays) -> tuple[Array, Array, tuple[Array, Array] | None]:
    """Return W as (D, gates · H), R as (H, gates · H), and both biases or None, in our order."""
    gates, onnx_gates = OPERATORS[operator].gates, OPERATORS[operator].onnx_gates
    W, R = (reorder(arrays[name].T, onnx_gates, gates) for name in ("W", "R"))
    if "B" not in arrays:
        return W, R, None
    both = arrays["B"].reshape(2, -1)
    return W, R, (reorder(both[0], onnx_gates, gates), reorder(both[1], onnx_gates, gates))


def _coupled(params: LSTMParams) -> LSTMParams:
    """Convert coupled gates: ONNX stores i for f = 1 - i, we store f, and σ(-z) = 1 - σ(z)."""

    def columns(array: Array) -> Array:
        hidden = array.shape[-1] // 4
        kept = array[..., np.r_[0:hidden, 2 * hidden : 4 * hidden]]  # i, g, o
        return kept * np.repeat([-1, 1, 1], hidden).astype(kept.dtype)

    peephole = params.peephole
    if peephole is not None:
        peephole = peephole[np.array([0, 2])] * np.array([[-1], [1]]).astype(peephole.dtype)
    return LSTMParams(
        columns(params.input_kernel),
        columns(params.recurrent_kernel),
        None if params.bias is None else columns(params.bias),
        peephole,
    )


def _input_forget_step(
    params: LSTMParams, state: LSTMState, x: Array, *, activations: LSTMActivations
) -> LSTMState:
    """Take a step with i = a(z_i), f = 1 - i, for an a other than σ, unlike `lstm_step`."""
    z_i, _, z_g, z_o = jnp.split(affine(params, state.h, x), 4, axis=-1)
    peephole = params.peephole
    if peephole is not None:
        z_i = z_i + peephole[0] * state.c
    i = activations.gate(z_i)
    c = (1 - i) * state.c + i * activations.candidate(z_g)
    if peephole is not None:
        z_o = z_o + peephole[2] * c
    h = activations.gate(z_o) * activations.cell(c)
    return LSTMState(h.astype(state.h.dtype), c.astype(state.c.dtype))


def _check_weights(
    node: NodeProto, attributes: Attributes, arrays: Mapping[str, Array | np.ndarray]
) -> None:
    operator = OPERATORS[node.op_type]
    sides, blocks = len(SIDES[attributes.direction]), len(operator.gates)
    for name in ("W", "R"):
        if name not in arrays:
            raise ValueError(f"the {node.op_type} node needs {name}")
    hidden = np.shape(ranked(node, "R", arrays["R"], 3))[-1]
    if attributes.hidden_size not in (None, hidden):
        raise ValueError(
            f"hidden_size of the {node.op_type} is {attributes.hidden_size}, but R has shape "
            f"{np.shape(arrays['R'])}"
        )
    features = np.shape(ranked(node, "W", arrays["W"], 3))[-1]
    shapes = {
        "W": (sides, blocks * hidden, features),
        "R": (sides, blocks * hidden, hidden),
        "B": (sides, 2 * blocks * hidden),
        "P": (sides, 3 * hidden),
    }
    for name, array in arrays.items():
        if name not in STORED or name not in operator.inputs:
            raise ValueError(f"the {node.op_type} has no weights {name!r}")
        if name in shapes:
            check_shape(node, name, array, shapes[name])
