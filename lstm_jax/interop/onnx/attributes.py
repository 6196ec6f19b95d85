"""The form of a recurrent node of ONNX: its operator, its attributes, its activations."""

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
# The attributes that one operator alone has.
_OWN = {"input_forget": "LSTM", "linear_before_reset": "GRU"}


class Attributes(NamedTuple):
    """What a node says beside its arrays, with ONNX's defaults; `activations` by the operator."""

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
    """An activation, its constants and the clip in it, and ONNX's name for it."""

    name: str
    call: Activation


def attributes_of(node: NodeProto) -> Attributes:
    """The node's attributes over their defaults.

    Raises:
        ValueError: for another operator, an unknown attribute, direction or layout.
    """
    operator = operator_of(node)
    given = {a.name: onnx_package().helper.get_attribute_value(a) for a in node.attribute}
    known = [name for name in Attributes._fields if _OWN.get(name, node.op_type) == node.op_type]
    unknown = set(given) - set(known)
    if unknown:
        raise ValueError(
            f"the {node.op_type} node has the attribute {', '.join(sorted(unknown))}, which is not "
            f"among {', '.join(sorted(known))}"
        )
    given |= {name: given[name].decode() for name in {"direction"} & given.keys()}
    names = given.pop("activations", None)
    attributes = Attributes((), **given)
    sides = SIDES.get(attributes.direction)
    if sides is None:
        raise ValueError(
            f"direction must be one of {', '.join(SIDES)}, got {attributes.direction!r}"
        )
    if attributes.layout not in (0, 1):
        raise ValueError(f"layout must be 0 or 1, got {attributes.layout}")
    if names is None:
        return attributes._replace(activations=operator.activations * len(sides))
    # As runtimes read them: without regard to case.
    known = {name.lower(): name for name in ACTIVATIONS}
    decoded = [name.decode() for name in names]
    return attributes._replace(activations=[known.get(n.lower(), n) for n in decoded])


def functions_of(node: NodeProto, attributes: Attributes) -> list[list[Function]]:
    """For each direction its activations, after the clip.

    Raises:
        ValueError: for another number of them, a name that is unknown, constants that are missing
            or too many.
    """
    names, sides = attributes.activations, len(SIDES[attributes.direction])
    each = len(OPERATORS[node.op_type].activations)
    if len(names) != each * sides:
        raise ValueError(
            f"activations of the {attributes.direction} {node.op_type} must be {each * sides} "
            f"names, got {len(names)}: {', '.join(names)}"
        )
    # ONNX: the values are consumed in the order of the functions, by those that take one.
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
        lacking = [key for key, value in constants.items() if value is None]
        if lacking:
            raise ValueError(
                f"the activation {name} has no default {' and '.join(lacking)}; give "
                f"{' and '.join(f'activation_{key}' for key in lacking)}"
            )
        function = _clipped(bind(function, **constants), attributes.clip)
        functions.append(Function(name, function))
    for key, left in values.items():
        if left:
            raise ValueError(f"activation_{key} has {len(left)} values more than the activations")
    return [functions[k : k + each] for k in range(0, len(names), each)]


def _clipped(function: Activation, clip: float | None) -> Activation:
    if clip is None:
        return function
    return cast("Activation", bind(_clip_before, function=function, clip=clip))


def _clip_before(z: Array, *, function: Activation, clip: float) -> Array:
    return function(jnp.clip(z, -clip, clip))


def operator_of(node: NodeProto) -> Operator:
    """The operator that a node is; a ValueError where it is no recurrent one."""
    if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
        domain = f"{node.domain}." if node.domain else ""
        raise ValueError(
            f"the operator {domain}{node.op_type} is not one of {', '.join(OPERATORS)}"
        )
    return OPERATORS[node.op_type]


def ranked(node: NodeProto, name: str, array: Array | np.ndarray, rank: int) -> Array:
    """The array on the device; a ValueError where it has another number of axes."""
    if np.ndim(array) != rank:
        raise ValueError(
            f"{name} of the {node.op_type} must have {rank} axes, got shape {np.shape(array)}"
        )
    return jnp.asarray(array)


def check_shape(
    node: NodeProto, name: str, array: Array | np.ndarray, shape: tuple[int, ...]
) -> None:
    """Raise a ValueError where the array has another shape."""
    if np.shape(array) != shape:
        raise ValueError(
            f"{name} of the {node.op_type} must have shape {shape}, got {np.shape(array)}"
        )
