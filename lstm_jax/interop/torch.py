"""PyTorch's `nn.LSTM`, `nn.GRU` and `nn.RNN`: all layers, directions, projections, two biases.

Names are those of their `state_dict()`, for layer k = 0, 1, ... and with `_reverse` after them for
the direction from the end; G is 4, 3 or 1, D the width of what lies below:

    weight_ih_l{k}  (G·H, D)    gates i, f, g, o of an LSTM; r, z, n of a GRU
    weight_hh_l{k}  (G·H, H)    (4H, P) with a projection, `proj_size=P`
    bias_ih_l{k}    (G·H,)      both, or neither with `bias=False`
    bias_hh_l{k}    (G·H,)
    weight_hr_l{k}  (P, H)      with a projection

`nn.LSTMCell`, `nn.GRUCell` and `nn.RNNCell` have the first four without `_l{k}`.
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
CELL_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
# What wrappers put before every name: DataParallel and DistributedDataParallel, torch.compile.
WRAPPERS = ("module.", "_orig_mod.")
HINT = (
    "of a larger module pass this layer's alone: "
    "{k.removeprefix('lstm.'): v for k, v in state_dict.items() if k.startswith('lstm.')}"
)


def from_torch(arrays: Mapping[str, ArrayLike]) -> tuple[Layer, ...]:
    """Layers from the arrays of a `state_dict()`, of the cell that their shapes say.

    The names are those of one module, a layer or a cell of one step. What a wrapper has put before
    every one of them, `module.` or `_orig_mod.`, is taken away.

    LSTM and RNN have one bias here: b_ih + b_hh, rounded once. The GRU's candidate keeps the two
    apart. A ReLU network has the same weights: run `rnn(..., activation=jax.nn.relu)`.

    Args:
        arrays: NumPy, JAX or PyTorch arrays on the CPU, of any floating dtype; bfloat16 stays so.

    Returns:
        A tuple over layers, bottom first: parameters, or `Directions` of them; of a cell, of one.

    Raises:
        ValueError: names that are missing or not expected, or shapes that do not fit.
    """
    check_mapping("PyTorch", arrays)
    arrays = _unwrapped(arrays)
    numbers = (re.fullmatch(r"\w+_l(\d+)(_reverse)?", name) for name in arrays)
    depth = len({number[1] for number in numbers if number})
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in arrays else ("",)
    parts = ["weight_ih", "weight_hh"]
    parts += ["bias_ih", "bias_hh"] if any(n.startswith("bias_") for n in arrays) else []
    parts += ["weight_hr"] if any(n.startswith("weight_hr") for n in arrays) else []
    # What the names of each layer's directions end in: nothing of a cell, which is one layer.
    ends = [[f"_l{k}{suffix}" for suffix in suffixes] for k in range(max(depth, 1))]
    if not depth and not arrays.keys().isdisjoint(CELL_PARTS):
        ends = [[""]]
    names = [f"{part}{end}" for layer in ends for end, part in product(layer, parts)]
    given = take("PyTorch", arrays, names, HINT)
    first = ends[0][0]
    for part in ("weight_ih", "weight_hr"):
        array = given.get(f"{part}{first}")
        if array is not None and array.ndim != 2:
            raise ValueError(f"{part}{first} must be {LETTERS[part]}, got shape {array.shape}")

    letters = LETTERS
    if f"weight_hr{first}" in given:
        projected, hidden = given[f"weight_hr{first}"].shape
        letters = {**LETTERS, "weight_hh": "(G·H, P)"}
        cell, sizes = LSTMParams, {**sizes_of(LSTMParams, hidden), "P": projected}
    else:
        recurrent = f"weight_hh{first}"
        cell, sizes = cell_of(recurrent, given[recurrent], transposed=True)
    sizes["D"], layers = given[f"weight_ih{first}"].shape[1], []
    for layer in ends:
        directions = []
        for end in layer:
            own = {part: given[f"{part}{end}"] for part in parts}
            for part, array in own.items():
                check_shape(f"{part}{end}", array, letters[part], sizes)
            directions.append(_import(cell, own))
        layers.append(as_layer(directions))
        sizes["D"] = sizes.get("P", sizes["H"]) * len(layer)
    return tuple(layers)


def _unwrapped(arrays: Mapping[str, ArrayLike]) -> Mapping[str, ArrayLike]:
    """The arrays without what wrappers have put before every name."""
    for wrapper in (w for w in WRAPPERS if arrays and all(name.startswith(w) for name in arrays)):
        return _unwrapped({name.removeprefix(wrapper): a for name, a in arrays.items()})
    return arrays


def to_torch(layers: tuple[Layer, ...]) -> dict[str, np.ndarray]:
    """The arrays of a `state_dict()`; `from_torch` gives back the same layers, bit for bit.

    The bias goes into b_ih, and b_hh is zeros but for a GRU's `recurrent_bias`. Where no layer has
    a bias there are none in the result (`bias=False`); where some have, the others' are zeros and
    come back so. PyTorch's GRU is `gru_step` with `reset_after=True`.

    Args:
        layers: a tuple, bottom first, of parameters or `Directions`.

    Returns:
        NumPy arrays under PyTorch's names: `load_state_dict({k: torch.from_numpy(v) ...})`. A cell
        of one step takes those of one layer: `{k.removesuffix("_l0"): v ...}`.
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
