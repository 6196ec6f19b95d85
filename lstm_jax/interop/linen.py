"""Flax linen's `LSTMCell`, `OptimizedLSTMCell`, `GRUCell` and `SimpleCell`.

One cell is the dictionary of its `params`; both LSTM cells have the same. Every gate is a dense
layer, those that read x, `i*`, (D, H), and those that read h, `h*`, (H, H):

    LSTMCell     ii if ig io {kernel}          hi hf hg ho {kernel, bias}
    GRUCell      ir iz in {kernel, bias}       hr hz {kernel}, hn {kernel, bias}
    SimpleCell   i {kernel, bias}              h {kernel}

Flax carries (c, h); here the state is (h, c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import as_numpy, or_zeros, owned, to_jax, to_numpy
from lstm_jax.interop.checks import (
    GATES,
    check_holds,
    check_mapping,
    check_names,
    check_shape,
)
from lstm_jax.interop.stacks import Params

# Each cell's gates, and on which of its dense layers there is a bias.
CELLS = {
    LSTMParams: (("i", "f", "g", "o"), ("hi", "hf", "hg", "ho")),
    GRUParams: (("r", "z", "n"), ("ir", "iz", "in", "hn")),
    RNNParams: (("",), ("i",)),
}
HINT = "pass variables['params'] of one cell; of nn.RNN(cell), variables['params']['cell']"


def from_linen(arrays: Mapping[str, Mapping[str, Any]]) -> Params:
    """The parameters of one cell, of the kind that its names say.

    Args:
        arrays: `variables["params"]` of the cell. A stack is one call for each layer.

    Raises:
        ValueError: names that are missing or not expected, or shapes that do not fit.
    """
    return import_gates("Flax linen", arrays, HINT)


def to_linen(params: Params) -> dict[str, dict[str, np.ndarray]]:
    """`variables["params"]` of a cell; `from_linen` gives back the same parameters, bit for bit.

    Flax has every bias: one that is None is zeros and comes back so. The GRU is `gru_step` with
    `reset_after=True`.

    Args:
        params: of one cell. A stack is one call for each layer.

    Raises:
        ValueError: options that Flax has no place for: peepholes, layer normalisation, coupled
            gates, projections.
    """
    return export_gates("Flax linen", params)


def import_gates(layout: str, arrays: Mapping[str, Mapping[str, Any]], hint: str) -> Params:
    """`from_linen` on behalf of another layout."""
    check_mapping(layout, arrays)
    cell = max(CELLS, key=lambda cell: len(set(_names(cell)) & set(arrays)))
    dense = _names(cell)
    if not set(dense) & set(arrays):
        known = "; ".join(", ".join(_names(cell)) for cell in CELLS)
        raise ValueError(f"{layout}: expected the names {known}; got {', '.join(arrays)}; {hint}")
    check_names(layout, arrays, dense, hint)
    given = {}
    for name, parts in dense.items():
        check_mapping(f"{layout} {name}", arrays[name])
        check_names(f"{layout} {name}", arrays[name], parts)
        given[name] = {part: as_numpy(f"{name}.{part}", arrays[name][part]) for part in parts}

    gates, _ = CELLS[cell]
    recurrent = given[f"h{gates[0]}"]["kernel"]
    hidden = recurrent.shape[-1] if recurrent.ndim else 0
    kernel = given[f"i{gates[0]}"]["kernel"]
    features = kernel.shape[0] if kernel.ndim else 0
    shapes = {
        "ikernel": ("(D, H)", (features, hidden)),
        "hkernel": ("(H, H)", (hidden, hidden)),
        "bias": ("(H,)", (hidden,)),
    }
    for name, parts in given.items():
        for part, array in parts.items():
            letters, shape = shapes[part if part == "bias" else name[0] + part]
            check_shape(f"{layout} {name}.{part}", array, shape, letters)

    def columns(side: str, part: str) -> np.ndarray:
        return np.concatenate([given[f"{side}{gate}"][part] for gate in gates], axis=-1)

    kernels = columns("i", "kernel"), columns("h", "kernel")
    if cell is GRUParams:
        return to_jax(GRUParams, *kernels, columns("i", "bias"), given["hn"]["bias"])
    return to_jax(cell, *kernels, columns("h" if cell is LSTMParams else "i", "bias"))


def export_gates(layout: str, params: Params) -> dict[str, dict[str, np.ndarray]]:
    """`to_linen` on behalf of another layout."""
    check_holds(layout, "params", params, tuple(GATES))
    arrays, params = {}, to_numpy(params)
    cell, kernel = type(params), params.input_kernel
    gates, _ = CELLS[cell]
    biases = np.split(or_zeros(params.bias, kernel.shape[1], kernel), len(gates))
    blocks = {
        "i": dict(zip(gates, np.split(kernel, len(gates), axis=1), strict=True)),
        "h": dict(zip(gates, np.split(params.recurrent_kernel, len(gates), axis=1), strict=True)),
    }
    bias = dict(zip(gates, biases, strict=True))
    for name, parts in _names(cell).items():
        arrays[name] = {"kernel": owned(blocks[name[0]][name[1:]])}
        if "bias" in parts:
            arrays[name]["bias"] = owned(bias[name[1:]])
    if isinstance(params, GRUParams):
        hidden = params.recurrent_kernel.shape[0]
        arrays["hn"]["bias"] = owned(or_zeros(params.recurrent_bias, hidden, kernel))
    return arrays


def _names(cell: type) -> dict[str, tuple[str, ...]]:
    gates, biased = CELLS[cell]
    dense = [f"{side}{gate}" for side in "ih" for gate in gates]
    return {name: ("kernel", "bias") if name in biased else ("kernel",) for name in dense}
