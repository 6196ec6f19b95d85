"""One recurrent node of ONNX: its attributes checked, its weights as our parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.cells import (
    LSTM_GATE_ORDER,
    LSTMActivations,
    LSTMParams,
    LSTMState,
    RNNParams,
    affine,
    lstm_step,
    rnn_step,
)
from lstm_jax.gated import GRUParams, gru_step
from lstm_jax.interop.onnx.format import (
    ACTIVATIONS,
    ONNX_PEEPHOLE_ORDER,
    OPERATORS,
    PEEPHOLE_ORDER,
    Operator,
    onnx_package,
    reorder,
)
from lstm_jax.recurrence import Step

SIDES = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
_DEFAULTS = {
    "activation_alpha": (),
    "activation_beta": (),
    "activations": None,
    "clip": None,
    "direction": "forward",
    "hidden_size": None,
    "layout": 0,
}
_OWN_DEFAULTS = {"LSTM": {"input_forget": 0}, "GRU": {"linear_before_reset": 0}, "RNN": {}}


class Recurrence(NamedTuple):
    """One direction of a recurrent node, ready to run.

    Attributes:
        params: `LSTMParams`, `GRUParams` or `RNNParams`.
        step: `step(params, state, x)`, with the node's activations, clip and variant bound.
        reverse: whether it runs from the last step to the first.

    `scan(step, params, xs, state, reverse=reverse)` runs it.
    """

    params: Any
    step: Step
    reverse: bool


def read_node(node: Any, arrays: Mapping[str, Any]) -> tuple[Recurrence, ...]:
    """The weights of one LSTM, GRU or RNN node as our parameters, each with its step.

    Args:
        node: an `onnx.NodeProto`.
        arrays: W (directions, gates · H, D), R (directions, gates · H, H) and, where the node has
            them, B (directions, 2 · gates · H) and P (directions, 3H).

    Returns:
        One `Recurrence`, or forward and backward. Both biases become one, W's and R's summed, but
        for the candidate of a GRU with linear_before_reset. An LSTM with input_forget gets coupled
        gates, its forget columns being those of ONNX's input gate, negated.

    Raises:
        ValueError: for another operator or attribute, an activation that is unknown or lacks a
            constant, ranks or shapes that do not fit.
    """
    attributes = attributes_of(node)
    sides = SIDES[attributes["direction"]]
    _check_weights(node, attributes, arrays)
    functions = _activations(node, attributes, len(sides))
    made = []
    for side, reverse in enumerate(sides):
        own = {name: array[side] for name, array in arrays.items()}
        make = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[node.op_type]
        names, chosen = functions[side]
        params, step = make(attributes, own, names, chosen)
        made.append(Recurrence(jax.tree.map(jnp.asarray, params), step, reverse))
    return tuple(made)


# --- the weights ---------------------------------------------------------------------------------
#
# By indices and operators alone: NumPy's arrays are rearranged in NumPy, with nothing to compile.


def _lstm(attributes, arrays, names, functions):
    W, R, biases = _weights("LSTM", arrays)
    peephole = None
    if "P" in arrays:
        peephole = reorder(arrays["P"], ONNX_PEEPHOLE_ORDER, PEEPHOLE_ORDER).reshape(3, -1)
    params = LSTMParams(W, R, None if biases is None else biases[0] + biases[1], peephole)
    step = lstm_step
    if attributes["input_forget"]:
        if names[0] == "Sigmoid":
            params = _coupled(params)
        else:
            step = _input_forget_step
    return params, partial(step, activations=LSTMActivations(*functions))


def _gru(attributes, arrays, names, functions):
    W, R, biases = _weights("GRU", arrays)
    after = bool(attributes["linear_before_reset"])
    bias, recurrent_bias = None, None
    if biases is not None:
        from_x, from_h = biases
        if after:  # the candidate's second bias stays inside the reset product
            hidden = from_h.shape[-1] // 3
            recurrent_bias = from_h[2 * hidden :]
            from_h = from_h * np.repeat([1, 1, 0], hidden).astype(from_h.dtype)
        bias = from_x + from_h
    params = GRUParams(W, R, bias, recurrent_bias)
    gate, activation = functions
    return params, partial(gru_step, reset_after=after, gate_activation=gate, activation=activation)


def _rnn(attributes, arrays, names, functions):
    W, R, biases = _weights("RNN", arrays)
    params = RNNParams(W, R, None if biases is None else biases[0] + biases[1])
    return params, partial(rnn_step, activation=functions[0])


def _weights(operator, arrays):
    """W as (D, gates · H), R as (H, gates · H), and both biases or None, columns in our order."""
    gates, onnx_gates = OPERATORS[operator].gates, OPERATORS[operator].onnx_gates
    W, R = (reorder(arrays[name].T, onnx_gates, gates) for name in ("W", "R"))
    if "B" not in arrays:
        return W, R, None
    both = arrays["B"].reshape(2, -1)
    return W, R, tuple(reorder(bias, onnx_gates, gates) for bias in (both[0], both[1]))


def _coupled(params):
    """ONNX keeps i and takes f = 1 - i; we keep f and take i = 1 - f, and σ(-z) = 1 - σ(z)."""

    def columns(array):
        kept = reorder(array, LSTM_GATE_ORDER, ("i", "g", "o"))
        return kept * np.repeat([-1, 1, 1], kept.shape[-1] // 3).astype(kept.dtype)

    peephole = params.peephole
    if peephole is not None:
        peephole = peephole[np.array([0, 2])] * np.array([[-1], [1]]).astype(peephole.dtype)
    return LSTMParams(
        columns(params.input_kernel),
        columns(params.recurrent_kernel),
        None if params.bias is None else columns(params.bias),
        peephole,
    )


def _input_forget_step(params, state, x, *, activations):
    """i = a(z_i), f = 1 - i: coupled gates where a is not σ, which `lstm_step` cannot say."""
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


# --- the node's form ----------------------------------------------------------------------------


def attributes_of(node: Any) -> dict[str, Any]:
    """The node's attributes over their defaults; strings as str."""
    operator = operator_of(node)
    given = {a.name: onnx_package().helper.get_attribute_value(a) for a in node.attribute}
    known = _DEFAULTS | _OWN_DEFAULTS[node.op_type]
    unknown = set(given) - set(known)
    if unknown:
        raise ValueError(
            f"the {node.op_type} node has the attribute {', '.join(sorted(unknown))}, which is not "
            f"among {', '.join(sorted(known))}"
        )
    attributes = known | given
    for name in ("direction", "activations"):
        attributes[name] = _text(attributes[name])
    if attributes["direction"] not in SIDES:
        raise ValueError(
            f"direction must be one of {', '.join(SIDES)}, got {attributes['direction']!r}"
        )
    if attributes["layout"] not in (0, 1):
        raise ValueError(f"layout must be 0 or 1, got {attributes['layout']}")
    if attributes["activations"] is None:
        count = len(SIDES[attributes["direction"]])
        attributes["activations"] = list(operator.activations) * count
    return attributes


def _activations(node, attributes, sides):
    """For each direction the names of its activations, and the functions, after the clip."""
    names = attributes["activations"]
    each = len(OPERATORS[node.op_type].activations)
    if len(names) != each * sides:
        raise ValueError(
            f"activations of the {attributes['direction']} {node.op_type} must be {each * sides} "
            f"names, got {len(names)}: {', '.join(names)}"
        )
    # ONNX: the values are consumed in the order of the functions, by those that take one.
    values = {key: list(attributes[f"activation_{key}"]) for key in ("alpha", "beta")}
    functions = []
    for name in names:
        if name not in ACTIVATIONS:
            raise ValueError(f"activation {name!r} is not among {', '.join(ACTIVATIONS)}")
        function, defaults = ACTIVATIONS[name]
        constants = {key: values[key].pop(0) if values[key] else d for key, d in defaults.items()}
        lacking = [key for key, value in constants.items() if value is None]
        if lacking:
            raise ValueError(
                f"the activation {name} has no default {' and '.join(lacking)}; give "
                f"{' and '.join(f'activation_{key}' for key in lacking)}"
            )
        functions.append(_clipped(partial(function, **constants), attributes["clip"]))
    for key, left in values.items():
        if left:
            raise ValueError(f"activation_{key} has {len(left)} values more than the activations")
    return [(names[k : k + each], functions[k : k + each]) for k in range(0, len(names), each)]


def _clipped(function, clip):
    return function if clip is None else lambda z: function(jnp.clip(z, -clip, clip))


def _check_weights(node, attributes, arrays):
    operator = OPERATORS[node.op_type]
    sides, blocks = len(SIDES[attributes["direction"]]), len(operator.gates)
    for name in ("W", "R"):
        if name not in arrays:
            raise ValueError(f"the {node.op_type} node needs {name}")
    hidden = np.shape(ranked(node, "R", arrays["R"], 3))[-1]
    if attributes["hidden_size"] not in (None, hidden):
        raise ValueError(
            f"hidden_size of the {node.op_type} is {attributes['hidden_size']}, but R has shape "
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
        if name not in shapes or name not in operator.inputs:
            raise ValueError(f"the {node.op_type} has no weights {name!r}")
        check_shape(node, name, array, shapes[name])


def operator_of(node: Any) -> Operator:
    """The operator that a node is; a ValueError where it is no recurrent one."""
    if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
        domain = f"{node.domain}." if node.domain else ""
        raise ValueError(
            f"the operator {domain}{node.op_type} is not one of {', '.join(OPERATORS)}"
        )
    return OPERATORS[node.op_type]


def ranked(node: Any, name: str, array: Any, rank: int) -> Array:
    """The array on the device; a ValueError where it has another number of axes."""
    if np.ndim(array) != rank:
        raise ValueError(
            f"{name} of the {node.op_type} must have {rank} axes, got shape {np.shape(array)}"
        )
    return jnp.asarray(array)


def check_shape(node: Any, name: str, array: Any, shape: tuple[int, ...]) -> None:
    """Raise a ValueError where the array has another shape."""
    if np.shape(array) != shape:
        raise ValueError(
            f"{name} of the {node.op_type} must have shape {shape}, got {np.shape(array)}"
        )


def _text(value):
    if isinstance(value, list):
        return [_text(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value
