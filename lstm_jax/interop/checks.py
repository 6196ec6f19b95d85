"""What every layout refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams, MGUParams

GATES = {LSTMParams: 4, GRUParams: 3, RNNParams: 1}


def check_names(
    layout: str, arrays: Mapping[str, Any], names: Collection[str], hint: str = ""
) -> None:
    """Raise a ValueError that lists the names which are missing, and those not expected."""
    missing = [name for name in names if name not in arrays]
    unexpected = [name for name in arrays if name not in names]
    if missing or unexpected:
        parts = [f"missing {', '.join(map(repr, missing))}"] if missing else []
        parts += [f"unexpected {', '.join(map(repr, unexpected))}"] if unexpected else []
        raise ValueError(
            f"{layout}: {'; '.join(parts)}. Expected {', '.join(names)}" + (hint and f"; {hint}")
        )


def check_mapping(layout: str, value: Any) -> None:
    """Raise a ValueError for what is no mapping of names."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{layout}: expected a dictionary of arrays, got {type(value).__name__}")


def check_shape(name: str, array: np.ndarray, shape: tuple[int, ...], letters: str) -> None:
    """Raise a ValueError where `array` is not of `shape`, which is `letters` in general."""
    if array.shape != shape:
        raise ValueError(f"{name} must be {letters} = {shape}, got shape {array.shape}")


def cell_of(name: str, recurrent: np.ndarray, *, transposed: bool = False) -> type:
    """The parameters' type from a recurrent kernel (H, G · H): G is 4, 3 or 1.

    Args:
        name: its name, for the error.
        recurrent: the kernel, or, if `transposed`, (G · H, H).

    Raises:
        ValueError: for any other G.
    """
    if recurrent.ndim == 2 and recurrent.size:
        rows, columns = recurrent.T.shape if transposed else recurrent.shape
        for cell, gates in GATES.items():
            if columns == gates * rows:
                return cell
    letters = "(G·H, H)" if transposed else "(H, G·H)"
    raise ValueError(
        f"{name} must be {letters}, G being 4 for an LSTM, 3 for a GRU, 1 for an RNN, "
        f"got shape {recurrent.shape}"
    )


def check_params(name: str, params: Any) -> None:
    """Raise a ValueError where the arrays of our own parameters do not fit one another."""
    kernel, recurrent = params.input_kernel, params.recurrent_kernel
    for part, array in (("input_kernel", kernel), ("recurrent_kernel", recurrent)):
        if array.ndim != 2:
            raise ValueError(f"{name}.{part} must have two axes, got shape {array.shape}")
    projection = getattr(params, "projection", None)
    if projection is not None and projection.ndim != 2:
        raise ValueError(f"{name}.projection must be (H, P), got shape {projection.shape}")
    hidden, below = (recurrent if projection is None else projection).shape[0], recurrent.shape[0]
    gates = {MGUParams: 2, **GATES}[type(params)]
    if is_coupled(params):
        gates = 3
    columns, norm = gates * hidden, getattr(params, "norm", None)
    expected = {
        "input_kernel": (kernel.shape[0], columns),
        "recurrent_kernel": (below, columns),
        "bias": (columns,),
        "recurrent_bias": (hidden,),
        "peephole": (gates - 1, hidden),
        "projection": (hidden, below),
    }
    arrays = {part: getattr(params, part, None) for part in expected}
    if norm is not None:
        expected |= {"norm.input_scale": (columns,), "norm.recurrent_scale": (columns,)}
        expected |= {"norm.cell_scale": (hidden,), "norm.cell_shift": (hidden,)}
        arrays |= {f"norm.{part}": array for part, array in vars(norm).items()}
    for part, shape in expected.items():
        array = arrays[part]
        if array is not None and array.shape != shape:
            raise ValueError(
                f"{name}.{part} has shape {array.shape}; beside recurrent_kernel "
                f"{recurrent.shape} of {type(params).__name__} it must be {shape}"
            )


def is_coupled(params: Any) -> bool:
    """Whether this is an LSTM without an input gate of its own: i = 1 - f."""
    if not isinstance(params, LSTMParams):
        return False
    return params.input_kernel.shape[-1] == 3 * params.hidden_features


def check_holds(
    layout: str, name: str, params: Any, cells: Collection[type], *, projection: bool = False
) -> None:
    """Raise a ValueError for a cell, or an option of it, that a layout has no place for.

    Args:
        layout: who refuses, such as "PyTorch".
        name: which layer, such as "layers[0]".
        params: one cell's parameters.
        cells: the types that the layout has.
        projection: whether it has one.
    """
    if type(params) not in cells:
        known = ", ".join(cell.__name__ for cell in cells)
        raise ValueError(f"{layout} holds {known}; {name} is {type(params).__name__}")
    options = {
        "peephole": "peepholes",
        "norm": "layer normalisation",
        "projection": "a projection",
    }
    if projection:
        del options["projection"]
    for option, words in options.items():
        if getattr(params, option, None) is not None:
            raise ValueError(
                f"{layout} has no place for {words}: {name}.{option} must be None. "
                "save_safetensors holds every option"
            )
    check_params(name, params)
    if is_coupled(params):
        raise ValueError(
            f"{layout} has no place for coupled gates, i = 1 - f: {name} must have four. "
            "save_safetensors holds every option"
        )
