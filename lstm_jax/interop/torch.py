"""PyTorch's `nn.LSTM`, `nn.GRU` and `nn.RNN`, with layers, directions, projections and two biases.

Names are those of their `state_dict()`, for layer k = 0, 1, ..., with the suffix `_reverse` for the
backward direction. G is 4, 3 or 1, and D is the width of the layer's input:

    weight_ih_l{k}  (G·H, D)    gates i, f, g, o of an LSTM; r, z, n of a GRU
    weight_hh_l{k}  (G·H, H)    (4H, P) with a projection, `proj_size=P`
    bias_ih_l{k}    (G·H,)      both, or neither with `bias=False`
    bias_hh_l{k}    (G·H,)
    weight_hr_l{k}  (P, H)      with a projection

`nn.LSTMCell`, `nn.GRUCell` and `nn.RNNCell` have the first four, without `_l{k}`.
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
# Prefixes that wrappers add to every name: DataParallel and DistributedDataParallel, torch.compile.
WRAPPERS = ("module.", "_orig_mod.")
HINT = (
    "pass only this layer's arrays of a larger module: "
    "{k.removeprefix('lstm.'): v for k, v in state_dict.items() if k.startswith('lstm.')}"
)


def from_torch(arrays: Mapping[str, ArrayLike]) -> tuple[Layer, ...]:
    """Convert the arrays of a `state_dict()` to layers, whose cell follows from the shapes.

    The names are those of one module, a layer or a single-step cell. The prefixes of wrappers,
    `module.` and `_orig_mod.`, are removed.

    LSTM and RNN have one bias here, b_ih + b_hh, rounded once. The GRU's candidate keeps both. A
    ReLU network has the same weights; run it by `rnn(..., activation=jax.nn.relu)`.

    Args:
        arrays: NumPy, JAX or PyTorch arrays on the CPU, of any floating-point dtype, including
            bfloat16.

    Returns:
        A tuple over layers, bottom first: parameters, or `Directions` of them. A cell is one layer.

    Raises:
        ValueError: if names are missing or unexpected, or shapes do not fit.
    """
    check_mapping("PyTorch", arrays)
    arrays = _unwrapped(arrays)
    numbers = (re.fullmatch(r"\w+_l(\d+)(_reverse)?", name) for name in arrays)
    depth = len({number[1] for number in numbers if number})
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in arrays else ("",)
    parts = ["weight_ih", "weight_hh"]
    parts += ["bias_ih", "bias_hh"] if any(n.startswith("bias_") for n in arrays) else []
    parts += ["weight_hr"] if any(n.startswith("weight_hr") for n in arrays) else []
    # The suffixes of each layer's directions; a cell is one layer without a suffix.
    ends = [[f"_l{k}{suffix}" for suffix in suffixes] for k in range(max(depth, 1))]
    if not depth and not arrays.keys().isdisjoint(CELL_PARTS):
        ends = [[""]]
    names = [f"{part}{end}" for layer in ends for end, part in product(layer, parts)]
    theirs = take("PyTorch", arrays, names, HINT)
    first = ends[0][0]
    for part in ("weight_ih", "weight_hr"):
        array = theirs.get(f"{part}{first}")
        if array is not None and array.ndim != 2:
            raise ValueError(f"{part}{first} must be {LETTERS[part]}, got shape {array.shape}")

    letters = LETTERS
    if f"weight_hr{first}" in theirs:
        projected, hidden = theirs[f"weight_hr{first}"].shape
        letters = {**LETTERS, "weight_hh": "(G·H, P)"}
        cell, sizes = LSTMParams, {**sizes_of(LSTMParams, hidden), "P": projected}
    else:
        recurrent = f"weight_hh{first}"
        cell, sizes = cell_of(recurrent, theirs[recurrent], transposed=True)
    sizes["D"], layers = theirs[f"weight_ih{first}"].shape[1], []
    for layer in ends:
        directions = []
        for end in layer:
            direction = {part: theirs[f"{part}{end}"] for part in parts}
            for part, array in direction.items():
                check_shape(f"{part}{end}", array, letters[part], sizes)
            directions.append(_import(cell, direction))
        layers.append(as_layer(directions))
        sizes["D"] = sizes.get("P", sizes["H"]) * len(layer)
    return tuple(layers)


def _unwrapped(arrays: Mapping[str, ArrayLike]) -> Mapping[str, ArrayLike]:
    """Remove the prefixes that wrappers add to every name."""
    for wrapper in (w for w in WRAPPERS if arrays and all(name.startswith(w) for name in arrays)):
        return _unwrapped({name.removeprefix(wrapper): a for name, a in arrays.items()})
    return arrays


def to_torch(layers: tuple[Layer, ...]) -> dict[str, np.ndarray]:
    """Convert layers to the arrays of a `state_dict()`; `from_torch` restores them to the bit.

    The bias becomes b_ih, and b_hh is zeros except for a GRU's `recurrent_bias`. If no layer has a
    bias, the result has none (`bias=False`); if only some have, the biases of the others become
    zeros. PyTorch's GRU is `gru_step` with `reset_after=True`.

    Args:
        layers: a tuple, bottom first, of parameters or `Directions`.

    Returns:
        NumPy arrays by PyTorch's names, for `load_state_dict({k: torch.from_numpy(v) ...})`. For a
        single-step cell, convert one layer and use `{k.removesuffix("_l0"): v ...}`. PyTorch cannot
        read NumPy's bfloat16; cast to float32 first.

    Raises:
        ValueError: if layers differ in cell, width, directions or projection, or have options that
            PyTorch does not support: peepholes, layer normalization, coupled gates.
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
    """Return the result of `to_torch` for another layout; `bias` adds biases of zeros."""
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
    """Raise a ValueError if one module with `num_layers` cannot represent the layers."""
    first = each_direction(layers[0])
    width = first[0].input_kernel.shape[0]
    for k, layer in enumerate(layers):
        directions = each_direction(layer)
        if len(directions) != len(first):
            raise ValueError(
                f"{layout}: either all layers are Directions, or none; layers[{k}] differs"
            )
        for params in directions:
            if type(params) is not type(first[0]):
                raise ValueError(
                    f"{layout}: all layers must have the same cell, got {type(params).__name__} in "
                    f"layers[{k}] and {type(first[0]).__name__} in layers[0]"
                )
            expected = _widths(first[0])
            if _widths(params) != expected:
                raise ValueError(
                    f"{layout}: all layers must have the same width, got (H, P) {_widths(params)} "
                    f"in layers[{k}] and {expected} in layers[0]"
                )
            hidden, projected = expected
            if projected is not None and projected >= hidden:
                raise ValueError(
                    f"{layout}: a projection must have fewer features than H = {hidden}, got "
                    f"{projected} in layers[{k}]"
                )
            if params.input_kernel.shape[0] != width:
                raise ValueError(
                    f"{layout}: the input_kernel of layers[{k}] must have {width} rows, the "
                    f"features below, got shape {params.input_kernel.shape}"
                )
        width = len(first) * first[0].recurrent_kernel.shape[0]


def _widths(params: Params) -> tuple[int, int | None]:
    projection = arrays_of(params).get("projection")
    if projection is None:
        return params.recurrent_kernel.shape[0], None
    hidden, projected = projection.shape
    return hidden, projected


def _import(cell: type[Params], arrays: Mapping[str, np.ndarray]) -> Params:
    kernels = arrays["weight_ih"].T, arrays["weight_hh"].T
    biases = join_biases(cell, arrays["bias_ih"], arrays["bias_hh"]) if "bias_ih" in arrays else []
    options = {"projection": arrays["weight_hr"].T} if "weight_hr" in arrays else {}
    return to_jax(cell, *kernels, *biases, **options)


def _export(params: Params, biased: bool) -> dict[str, np.ndarray]:
    ours = to_numpy(params)
    arrays = {"weight_ih": ours["input_kernel"].T, "weight_hh": ours["recurrent_kernel"].T}
    if biased:
        arrays["bias_ih"], arrays["bias_hh"] = part_biases(ours)
    if "projection" in ours:
        arrays["weight_hr"] = ours["projection"].T
    return arrays
