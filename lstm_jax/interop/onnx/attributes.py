"""Operator, attributes and activations of a recurrent ONNX node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.cells import Activation
from lstm_jax.interop.onnx.format import ACTIVATIONS, OPERATORS, Operator, onnx_package
from lstm_jax.named import bind

if TYPE_CHECKING:
    from onnx import NodeProto

SIDES = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
# The attributes that only one operator has.
_OWN = {"input_forget": "LSTM", "linear_before_reset": "GRU"}


class Attributes(NamedTuple):
    """Store the attributes of a node with ONNX's defaults; `activations` depend on the operator."""

    activations: Sequence[str]
    activation_alpha: Sequence[float] = ()
    activation_beta: Sequence[float] = ()
    clip: float | None = None
    direction: str = "forward"
    hidden_size: int | None = None
    layout: int = 0
    input_forget: int = 0
    linear_before_reset: int = 0


class Function(NamedTuple):
    """Store an activation, including its constants and clip, and its name in ONNX."""

    name: str
    call: Activation


def attributes_of(node: NodeProto) -> Attributes:
    """Return the attributes of a node, with defaults for those that are missing.

    Raises:
        ValueError: if the operator, an attribute, the direction or the layout is unknown.
    """
    operator = operator_of(node)
    values = {a.name: onnx_package().helper.get_attribute_value(a) for a in node.attribute}
    known = [name for name in Attributes._fields if _OWN.get(name, node.op_type) == node.op_type]
    unknown = set(values) - set(known)
    if unknown:
        raise ValueError(
            f"the {node.op_type} node has the attribute {', '.join(sorted(unknown))}, which is not "
            f"among {', '.join(sorted(known))}"
        )
    values |= {name: values[name].decode() for name in {"direction"} & values.keys()}
    names = values.pop("activations", None)
    attributes = Attributes((), **values)
    sides = SIDES.get(attributes.direction)
    if sides is None:
        raise ValueError(
            f"direction must be one of {', '.join(SIDES)}, got {attributes.direction!r}"
        )
    if attributes.layout not in (0, 1):
        raise ValueError(f"layout must be 0 or 1, got {attributes.layout}")
    if names is None:
        return attributes._replace(activations=operator.activations * len(sides))
    # Names are not case-sensitive, as in other runtimes.
    known = {name.lower(): name for name in ACTIVATIONS}
    decoded = [name.decode() for name in names]
    return attributes._replace(activations=[known.get(n.lower(), n) for n in decoded])


def functions_of(node: NodeProto, attributes: Attributes) -> list[list[Function]]:
    """Return the activations of each direction, including the clip.

    Raises:
        ValueError: if the number of activations is wrong, a name is unknown, or there are too few
            or too many constants.
    """
    names, sides = attributes.activations, len(SIDES[attributes.direction])
    each = len(OPERATORS[node.op_type].activations)
    if len(names) != each * sides:
        raise ValueError(
            f"activations of the {attributes.direction} {node.op_type} must be {each * sides} "
            f"names, got {len(names)}: {', '.join(names)}"
        )
    # By ONNX, the functions that have a constant consume the values in order.
    values = {
        "alpha": list(attributes.activation_alpha),
        "beta": list(attributes.activation_beta),
    }
    functions = []
    for name in names:
        if name not in ACTIVATIONS:
            raise ValueError(f"activation {name!r} is not among {', '.join(ACTIVATIONS)}")
        function, defaults = ACTIVATIONS[name]
        constants = {key: values[key].pop(0) if values[key] else d for key, d in defaults.items()}
        missing = [key for key, value in constants.items() if value is None]
        if missing:
            raise ValueError(
                f"the activation {name} has no default {' and '.join(missing)}; set "
                f"{' and '.join(f'activation_{key}' for key in missing)}"
            )
        function = _clipped(bind(function, **constants), attributes.clip)
        functions.append(Function(name, function))
    for key, surplus in values.items():
        if surplus:
            raise ValueError(f"activation_{key} has {len(surplus)} more values than are used")
    return [functions[k : k + each] for k in range(0, len(names), each)]


def _clipped(function: Activation, clip: float | None) -> Activation:
    if clip is None:
        return function
    return cast("Activation", bind(_clip_before, function=function, clip=clip))


def _clip_before(z: Array, *, function: Activation, clip: float) -> Array:
    return function(jnp.clip(z, -clip, clip))


def operator_of(node: NodeProto) -> Operator:
    """Return the operator of a node; raise a ValueError if it is not recurrent."""
    if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
        domain = f"{node.domain}." if node.domain else ""
        raise ValueError(
            f"the operator {domain}{node.op_type} is not one of {', '.join(OPERATORS)}"
        )
    return OPERATORS[node.op_type]


def ranked(node: NodeProto, name: str, array: Array | np.ndarray, rank: int) -> Array:
    """Return the array as a JAX array; raise a ValueError if it has another number of axes."""
    if np.ndim(array) != rank:
        raise ValueError(
            f"{name} of the {node.op_type} must have {rank} axes, got shape {np.shape(array)}"
        )
    return jnp.asarray(array)


def check_shape(
    node: NodeProto, name: str, array: Array | np.ndarray, shape: tuple[int, ...]
) -> None:
    """Raise a ValueError if the array has another shape."""
    if np.shape(array) != shape:
        raise ValueError(
            f"{name} of the {node.op_type} must have shape {shape}, got {np.shape(array)}"
        )
