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
from collections.abc import Collection, Mapping
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams
from lstm_jax.interop.arrays import join_biases, owned, part_biases
from lstm_jax.interop.checks import cell_of, check_mapping, check_shape, sizes_of, take
from lstm_jax.interop.parameters import (
    GATES,
    Layer,
    Params,
    arrays_of,
    as_layer,
    check_holds,
    check_layers,
    each_direction,
    to_jax,
    to_numpy,
)

LETTERS = {
    "weight_ih": "(G·H, D)",
    "weight_hh": "(G·H, H)",
    "bias_ih": "(G·H,)",
    "bias_hh": "(G·H,)",
    "weight_hr": "(P, H)",
}
HINT = (
    "of a larger module pass this layer's alone: "
    "{k.removeprefix('lstm.'): v for k, v in state_dict.items() if k.startswith('lstm.')}"
)


def from_torch(arrays: Mapping[str, ArrayLike]) -> tuple[Layer, ...]:
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
    given = take("PyTorch", arrays, names, HINT)
    for name in ("weight_ih_l0", "weight_hr_l0"):
        if name in given and given[name].ndim != 2:
            letters = LETTERS[name.removesuffix("_l0")]
            raise ValueError(f"{name} must be {letters}, got shape {given[name].shape}")

    letters = LETTERS
    if "weight_hr_l0" in given:
        projected, hidden = given["weight_hr_l0"].shape
        letters = {**LETTERS, "weight_hh": "(G·H, P)"}
        cell, sizes = LSTMParams, {**sizes_of(LSTMParams, hidden), "P": projected}
    else:
        cell, sizes = cell_of("weight_hh_l0", given["weight_hh_l0"], transposed=True)
    sizes["D"], layers = given["weight_ih_l0"].shape[1], []
    for k in range(depth):
        directions = []
        for suffix in suffixes:
            own = {part: given[f"{part}_l{k}{suffix}"] for part in parts}
            for part, array in own.items():
                check_shape(f"{part}_l{k}{suffix}", array, letters[part], sizes)
            directions.append(_import(cell, own))
        layers.append(as_layer(directions))
        sizes["D"] = sizes.get("P", sizes["H"]) * len(suffixes)
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
    return name_arrays("PyTorch", layers, projection=True)


def name_arrays(
    layout: str,
    layers: tuple[Layer, ...],
    cells: Collection[type[Params]] = tuple(GATES),
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
        {"bias", "recurrent_bias"} & arrays_of(params).keys() for params in flat.values()
    )
    return {
        f"{part}_l{k}{suffix}": owned(array)
        for (k, suffix), params in flat.items()
        for part, array in _export(params, biased).items()
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
    projection = arrays_of(params).get("projection")
    if projection is None:
        return params.recurrent_kernel.shape[0], None
    hidden, projected = projection.shape
    return hidden, projected


def _import(cell: type[Params], own: Mapping[str, np.ndarray]) -> Params:
    kernels = own["weight_ih"].T, own["weight_hh"].T
    biases = join_biases(cell, own["bias_ih"], own["bias_hh"]) if "bias_ih" in own else []
    options = {"projection": own["weight_hr"].T} if "weight_hr" in own else {}
    return to_jax(cell, *kernels, *biases, **options)


def _export(params: Params, biased: bool) -> dict[str, np.ndarray]:
    own = to_numpy(params)
    arrays = {"weight_ih": own["input_kernel"].T, "weight_hh": own["recurrent_kernel"].T}
    if biased:
        arrays["bias_ih"], arrays["bias_hh"] = part_biases(own)
    if "projection" in own:
        arrays["weight_hr"] = own["projection"].T
    return arrays
