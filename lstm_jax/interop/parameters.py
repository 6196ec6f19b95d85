"""Helpers for our parameters and layers, and checks that a layout supports them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias, TypeGuard, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax.cells import LSTM_GATE_ORDER, LSTMParams, RNNParams
from lstm_jax.gated import GRU_GATE_ORDER, GRUParams, MGUParams
from lstm_jax.stacks import Directions

Params: TypeAlias = LSTMParams | GRUParams | RNNParams | MGUParams
Layer: TypeAlias = Params | Directions
P = TypeVar("P", bound=Params)

# The cells of other layouts, with the letters of their gates in our order.
GATES: dict[type[Params], str] = {
    LSTMParams: "".join(LSTM_GATE_ORDER),
    GRUParams: "".join(GRU_GATE_ORDER),
    RNNParams: "h",
}
OPTIONS = {
    "peephole": "peepholes",
    "norm.input_scale": "layer normalization",
    "projection": "a projection",
}


def arrays_of(params: Params) -> dict[str, Array]:
    """Return the arrays that are not None by field, those of a norm as `norm.input_scale` etc."""
    arrays = {part: array for part, array in vars(params).items() if array is not None}
    norm = arrays.pop("norm", None)
    return arrays if norm is None else arrays | {f"norm.{p}": a for p, a in vars(norm).items()}


def to_numpy(params: Params) -> dict[str, np.ndarray]:
    """Return `arrays_of` as NumPy arrays."""
    return {part: np.asarray(array) for part, array in arrays_of(params).items()}


def to_jax(cell: Callable[..., P], *arrays: np.ndarray | None, **options: np.ndarray | None) -> P:
    """Build the parameters `cell(*arrays, **options)` from copies as JAX arrays."""
    return jax.tree.map(jnp.array, cell(*arrays, **options))


def each_direction(layer: Layer) -> tuple[Params, ...]:
    """Return the parameters of each direction of a layer, forward first."""
    return tuple(layer) if isinstance(layer, Directions) else (layer,)


def as_layer(directions: Sequence[Params]) -> Layer:
    """Build a layer from its directions, the inverse of `each_direction`."""
    return directions[0] if len(directions) == 1 else Directions(*directions)


def is_coupled(params: Params) -> TypeGuard[LSTMParams]:
    """Return whether this is an LSTM with a coupled input gate, i = 1 - f."""
    if not isinstance(params, LSTMParams):
        return False
    return params.input_kernel.shape[-1] == 3 * params.hidden_features


def check_layers(layers: object) -> None:
    """Raise a ValueError if the layers are not a tuple of at least one layer."""
    if isinstance(layers, Directions) or not isinstance(layers, (tuple, list)):
        raise ValueError(
            "layers must be a tuple of layers, bottom first, got one "
            f"{type(layers).__name__}; for one layer pass (layer,)"
        )
    if not layers:
        raise ValueError("layers must have at least one layer, got none")


def check_params(name: str, params: Params) -> None:
    """Raise a ValueError if the arrays of a cell do not fit each other."""
    arrays = arrays_of(params)
    kernel, recurrent = params.input_kernel, params.recurrent_kernel
    for part, array in (("input_kernel", kernel), ("recurrent_kernel", recurrent)):
        if array.ndim != 2:
            raise ValueError(f"{name}.{part} must have two axes, got shape {array.shape}")
    square = arrays.get("projection", recurrent)
    if square.ndim != 2:
        raise ValueError(f"{name}.projection must be (H, P), got shape {square.shape}")
    hidden, below = square.shape[0], recurrent.shape[0]
    gates = 3 if is_coupled(params) else len({MGUParams: "fn", **GATES}[type(params)])
    columns = gates * hidden
    expected = {
        "input_kernel": (kernel.shape[0], columns),
        "recurrent_kernel": (below, columns),
        "bias": (columns,),
        "recurrent_bias": (hidden,),
        "peephole": (gates - 1, hidden),
        "projection": (hidden, below),
        "norm.input_scale": (columns,),
        "norm.recurrent_scale": (columns,),
        "norm.cell_scale": (hidden,),
        "norm.cell_shift": (hidden,),
    }
    for part, array in arrays.items():
        if array.shape != expected[part]:
            raise ValueError(
                f"{name}.{part} must have shape {expected[part]} to fit the recurrent_kernel "
                f"{recurrent.shape} of {type(params).__name__}, got {array.shape}"
            )


def check_holds(
    layout: str,
    name: str,
    params: Params,
    cells: Collection[type[Params]] = tuple(GATES),
    *,
    projection: bool = False,
) -> None:
    """Raise a ValueError if a layout does not support a cell, or one of its options.

    Args:
        layout: name of the layout, such as "PyTorch".
        name: name of the layer, such as "layers[0]".
        params: parameters of one cell.
        cells: types that the layout supports.
        projection: whether it supports a projection.
    """
    if type(params) not in cells:
        known = ", ".join(cell.__name__ for cell in cells)
        raise ValueError(f"{layout} supports {known}; {name} is {type(params).__name__}")
    arrays = arrays_of(params)
    for part, option in OPTIONS.items():
        if part in arrays and not (projection and part == "projection"):
            raise ValueError(
                f"{layout} does not support {option}: {name}.{part.split('.')[0]} must be None. "
                "save_safetensors supports every option"
            )
    check_params(name, params)
    if is_coupled(params):
        raise ValueError(
            f"{layout} does not support coupled gates, i = 1 - f: {name} must have four. "
            "save_safetensors supports every option"
        )
