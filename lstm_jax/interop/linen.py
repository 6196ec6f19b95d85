"""Flax linen's `LSTMCell`, `OptimizedLSTMCell`, `GRUCell` and `SimpleCell`.

One cell is the dictionary of its `params`, which is the same for both LSTM cells. Every gate is a
dense layer: `i*` (D, H) for those that read x, and `h*` (H, H) for those that read h:

    LSTMCell     ii if ig io {kernel}          hi hf hg ho {kernel, bias}
    GRUCell      ir iz in {kernel, bias}       hr hz {kernel}, hn {kernel, bias}
    SimpleCell   i {kernel, bias}              h {kernel}

Flax carries (c, h); here the state is (h, c).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import owned, part_biases
from lstm_jax.interop.checks import check_mapping, check_names, check_shape, take
from lstm_jax.interop.parameters import Params, check_holds, to_jax, to_numpy

# The gates of each cell in our order, and its dense layers with a bias.
CELLS = {
    LSTMParams: (("i", "f", "g", "o"), ("hi", "hf", "hg", "ho")),
    GRUParams: (("r", "z", "n"), ("ir", "iz", "in", "hn")),
    RNNParams: (("",), ("i",)),
}
LETTERS = {"ikernel": "(D, H)", "hkernel": "(H, H)", "ibias": "(H,)", "hbias": "(H,)"}
HINT = "pass variables['params'] of one cell, or variables['params']['cell'] of nn.RNN(cell)"


def from_linen(arrays: Mapping[str, Mapping[str, ArrayLike]]) -> Params:
    """Convert the parameters of one cell, whose kind follows from the names.

    Args:
        arrays: `variables["params"]` of the cell. Convert a stack layer by layer.

    Returns:
        `LSTMParams`, `GRUParams` or `RNNParams`, in the dtypes of the arrays.

    Raises:
        ValueError: if names are missing or unexpected, or shapes do not fit.
    """
    return import_gates("Flax linen", arrays, HINT)


def to_linen(params: Params) -> dict[str, dict[str, np.ndarray]]:
    """Convert parameters to `variables["params"]` of a cell; `from_linen` restores them to the bit.

    Flax has every bias, so a bias of None becomes zeros. The GRU is `gru_step` with
    `reset_after=True`.

    Args:
        params: parameters of one cell. Convert a stack layer by layer.

    Returns:
        NumPy arrays, dense layer -> {"kernel", "bias"} -> array, as above.

    Raises:
        ValueError: if the parameters have options that Flax does not support: peepholes, layer
            normalization, coupled gates, projections.
    """
    return export_gates("Flax linen", params)


def import_gates(layout: str, arrays: Mapping[str, Mapping[str, ArrayLike]], hint: str) -> Params:
    """Convert the gates of a cell as `from_linen` does, with errors that name `layout`."""
    check_mapping(layout, arrays)
    cell = max(CELLS, key=lambda cell: len(set(_names(cell)) & set(arrays)))
    dense = _names(cell)
    if not set(dense) & set(arrays):
        known = "; ".join(", ".join(_names(cell)) for cell in CELLS)
        raise ValueError(f"{layout}: expected the names {known}; got {', '.join(arrays)}; {hint}")
    check_names(layout, arrays, dense, hint)
    theirs = {
        name: take(f"{layout} {name}", arrays[name], parts, prefix=f"{name}.")
        for name, parts in dense.items()
    }
    gates, _ = CELLS[cell]
    recurrent = theirs[f"h{gates[0]}"]["kernel"]
    sizes = {"H": recurrent.shape[-1] if recurrent.ndim else 0}
    kernel = theirs[f"i{gates[0]}"]["kernel"]
    sizes["D"] = kernel.shape[0] if kernel.ndim else 0
    for name, parts in theirs.items():
        for part, array in parts.items():
            check_shape(f"{layout} {name}.{part}", array, LETTERS[name[0] + part], sizes)

    def columns(side: str, part: str) -> np.ndarray:
        return np.concatenate([theirs[f"{side}{gate}"][part] for gate in gates], axis=-1)

    biases = [columns("h" if cell is LSTMParams else "i", "bias")]
    if cell is GRUParams:
        biases.append(theirs["hn"]["bias"])
    return to_jax(cell, columns("i", "kernel"), columns("h", "kernel"), *biases)


def export_gates(layout: str, params: Params) -> dict[str, dict[str, np.ndarray]]:
    """Convert parameters as `to_linen` does, with errors that name `layout`."""
    check_holds(layout, "params", params)
    cell, ours = type(params), to_numpy(params)
    on_x, on_h = part_biases(ours)
    blocks = {
        "ikernel": ours["input_kernel"],
        "hkernel": ours["recurrent_kernel"],
        "ibias": on_x,
        "hbias": on_x if cell is LSTMParams else on_h,
    }
    gates, _ = CELLS[cell]
    split = {
        block: dict(zip(gates, np.split(array, len(gates), axis=-1), strict=True))
        for block, array in blocks.items()
    }
    return {
        name: {part: owned(split[name[0] + part][name[1:]]) for part in parts}
        for name, parts in _names(cell).items()
    }


def _names(cell: type[Params]) -> dict[str, tuple[str, ...]]:
    gates, biased = CELLS[cell]
    dense = [f"{side}{gate}" for side in "ih" for gate in gates]
    return {name: ("kernel", "bias") if name in biased else ("kernel",) for name in dense}
