"""PyTorch's `nn.LSTM`, `nn.GRU` and `nn.RNN`: all layers, directions, projections, two biases.

Names are those of their `state_dict()`, for layer k = 0, 1, ... and with `_reverse` after them for
the direction from the end; G is 4, 3 or 1, D the width of what lies below:

    weight_ih_l{k}  (G·H, D)    gates i, f, g, o of an LSTM; r, z, n of a GRU
    weight_hh_l{k}  (G·H, H)    (4H, P) with a projection, `proj_size=P`
    bias_ih_l{k}    (G·H,)      both, or neither with `bias=False`
    bias_hh_l{k}    (G·H,)
    weight_hr_l{k}  (P, H)      with a projection
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from lstm_jax.cells import LSTMParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import as_numpy, or_zeros, owned, sum_biases, to_jax, to_numpy
from lstm_jax.interop.checks import (
    GATES,
    cell_of,
    check_holds,
    check_mapping,
    check_names,
    check_shape,
)
from lstm_jax.interop.stacks import Layer, Params, as_layer, check_layers, each_direction

HINT = (
    "of a larger module pass this layer's alone: "
    "{k.removeprefix('lstm.'): v for k, v in state_dict.items() if k.startswith('lstm.')}"
)


def from_torch(arrays: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Layers from the arrays of a `state_dict()`, of the cell that their shapes say.

    LSTM and RNN have one bias here: b_ih + b_hh, rounded once. The GRU's candidate keeps the two
    apart. A ReLU network has the same weights: run `rnn(..., activation=jax.nn.relu)`.

    Args:
        arrays: NumPy, JAX or PyTorch arrays on the CPU, of any floating dtype that NumPy knows.

    Returns:
        A tuple over layers, bottom first: parameters, or `Directions` of them.

    Raises:
        ValueError: names that are missing or not expected, or shapes that do not fit.
    """
    check_mapping("PyTorch", arrays)
    numbers = (re.fullmatch(r"\w+_l(\d+)(_reverse)?", name) for name in arrays)
    depth = len({number[1] for number in numbers if number})
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in arrays else ("",)
    parts = ["weight_ih", "weight_hh"]
    parts += ["bias_ih", "bias_hh"] if any(n.startswith("bias_") for n in arrays) else []
    parts += ["weight_hr"] if any(n.startswith("weight_hr") for n in arrays) else []
    names = [f"{p}_l{k}{s}" for k, s, p in product(range(max(depth, 1)), suffixes, parts)]
    check_names("PyTorch", arrays, names, HINT)
    given = {name: as_numpy(name, arrays[name]) for name in names}

    projected = "weight_hr_l0" in given
    first = given["weight_hh_l0"]
    if projected:
        if given["weight_hr_l0"].ndim != 2:
            raise ValueError(
                f"weight_hr_l0 must be (P, H), got shape {given['weight_hr_l0'].shape}"
            )
        cell, (out, hidden) = LSTMParams, given["weight_hr_l0"].shape
    else:
        cell = cell_of("weight_hh_l0", first, transposed=True)
        out = hidden = first.shape[1]
    if given["weight_ih_l0"].ndim != 2:
        raise ValueError(f"weight_ih_l0 must be (G·H, D), got shape {given['weight_ih_l0'].shape}")

    rows, width, layers = GATES[cell] * hidden, given["weight_ih_l0"].shape[1], []
    for k in range(depth):
        letters = {
            "weight_ih": ("(G·H, D)", (rows, width)),
            "weight_hh": ("(G·H, P)" if projected else "(G·H, H)", (rows, out)),
            "bias_ih": ("(G·H,)", (rows,)),
            "bias_hh": ("(G·H,)", (rows,)),
            "weight_hr": ("(P, H)", (out, hidden)),
        }
        directions = []
        for suffix in suffixes:
            own = {part: given[f"{part}_l{k}{suffix}"] for part in parts}
            for part, array in own.items():
                check_shape(f"{part}_l{k}{suffix}", array, letters[part][1], letters[part][0])
            directions.append(_import(cell, hidden, own))
        layers.append(as_layer(directions))
        width = out * len(suffixes)
    return tuple(layers)


def to_torch(layers: tuple[Layer, ...]) -> dict[str, np.ndarray]:
    """The arrays of a `state_dict()`; `from_torch` gives back the same layers, bit for bit.

    The bias goes into b_ih, and b_hh is zeros but for a GRU's `recurrent_bias`. Where no layer has
    a bias there are none in the result (`bias=False`); where some have, the others' are zeros and
    come back so. PyTorch's GRU is `gru_step` with `reset_after=True`.

    Args:
        layers: a tuple, bottom first, of parameters or `Directions`.

    Returns:
        NumPy arrays under PyTorch's names: `load_state_dict({k: torch.from_numpy(v) ...})`.
        PyTorch reads no bfloat16 of NumPy; cast to float32 before.

    Raises:
        ValueError: layers that differ in cell, width, directions or projection, and options that
            PyTorch has no place for: peepholes, layer normalisation, coupled gates.
    """
    return name_arrays("PyTorch", layers, tuple(GATES), projection=True)


def name_arrays(
    layout: str,
    layers: tuple[Layer, ...],
    cells: tuple[type, ...],
    *,
    projection: bool,
    bias: bool = False,
) -> dict[str, np.ndarray]:
    """What `to_torch` returns, for a `layout` with these cells; biases even of zeros if `bias`."""
    check_layers(layers)
    flat = {
        (k, suffix): params
        for k, layer in enumerate(layers)
        for suffix, params in zip(("", "_reverse"), each_direction(layer), strict=False)
    }
    for (k, suffix), params in flat.items():
        check_holds(layout, f"layers[{k}]{suffix}", params, cells, projection=projection)
    check_uniform(layout, layers)
    biased = bias or any(
        getattr(params, name, None) is not None
        for params in flat.values()
        for name in ("bias", "recurrent_bias")
    )
    return {
        f"{part}_l{k}{suffix}": owned(array)
        for (k, suffix), params in flat.items()
        for part, array in _export(to_numpy(params), biased).items()
    }


def check_uniform(layout: str, layers: tuple[Layer, ...]) -> None:
    """Raise a ValueError for layers that one module with `num_layers` cannot be."""
    first = each_direction(layers[0])
    width = first[0].input_kernel.shape[0]
    for k, layer in enumerate(layers):
        directions = each_direction(layer)
        if len(directions) != len(first):
            raise ValueError(f"{layout}: either every layer is Directions or none, see layers[{k}]")
        for params in directions:
            if type(params) is not type(first[0]):
                raise ValueError(
                    f"{layout}: layers are of one cell; layers[{k}] is {type(params).__name__}, "
                    f"layers[0] {type(first[0]).__name__}"
                )
            expected = _widths(first[0])
            if _widths(params) != expected:
                raise ValueError(
                    f"{layout}: layers are of one width; (H, P) is {_widths(params)} in "
                    f"layers[{k}] and {expected} in layers[0]"
                )
            hidden, projected = expected
            if projected is not None and projected >= hidden:
                raise ValueError(
                    f"{layout} projects to fewer features than H = {hidden} alone; layers[{k}] "
                    f"projects to {projected}"
                )
            if params.input_kernel.shape[0] != width:
                raise ValueError(
                    f"{layout}: layers[{k}] has an input_kernel of shape "
                    f"{params.input_kernel.shape}; it must have {width} rows, the features below"
                )
        width = len(first) * first[0].recurrent_kernel.shape[0]


def _widths(params: Params) -> tuple[int, int | None]:
    projection = getattr(params, "projection", None)
    if projection is None:
        return params.recurrent_kernel.shape[0], None
    return projection.shape


def _import(cell: type, hidden: int, own: Mapping[str, np.ndarray]) -> Params:
    kernels = own["weight_ih"].T, own["weight_hh"].T
    if cell is GRUParams:
        if "bias_ih" not in own:
            return to_jax(GRUParams, *kernels)
        # The candidate's recurrent bias stands inside the reset product; the gates' do not.
        gates = np.arange(3 * hidden) < 2 * hidden
        recurrent = own["bias_hh"]
        bias = sum_biases(own["bias_ih"], np.where(gates, recurrent, np.zeros_like(recurrent)))
        return to_jax(GRUParams, *kernels, bias, recurrent[2 * hidden :])
    bias = sum_biases(own["bias_ih"], own["bias_hh"]) if "bias_ih" in own else None
    options = {"projection": own["weight_hr"].T} if "weight_hr" in own else {}
    return to_jax(cell, *kernels, bias, **options)


def _export(params: Any, biased: bool) -> dict[str, np.ndarray]:
    kernel = params.input_kernel
    arrays = {"weight_ih": kernel.T, "weight_hh": params.recurrent_kernel.T}
    if biased:
        columns = kernel.shape[1]
        arrays["bias_ih"] = or_zeros(params.bias, columns, kernel)
        recurrent = np.zeros_like(arrays["bias_ih"])
        if isinstance(params, GRUParams):
            candidate = or_zeros(params.recurrent_bias, columns // 3, recurrent)
            recurrent = np.concatenate([recurrent[: 2 * columns // 3], candidate])
        arrays["bias_hh"] = recurrent
    if isinstance(params, LSTMParams) and params.projection is not None:
        arrays["weight_hr"] = params.projection.T
    return arrays
