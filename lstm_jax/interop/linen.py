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

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import owned, part_biases
from lstm_jax.interop.checks import check_mapping, check_names, check_shape, take
from lstm_jax.interop.parameters import Params, check_holds, to_jax, to_numpy

# Each cell's gates, in our order, and on which of its dense layers there is a bias.
CELLS = {
    LSTMParams: (("i", "f", "g", "o"), ("hi", "hf", "hg", "ho")),
    GRUParams: (("r", "z", "n"), ("ir", "iz", "in", "hn")),
    RNNParams: (("",), ("i",)),
}
LETTERS = {"ikernel": "(D, H)", "hkernel": "(H, H)", "ibias": "(H,)", "hbias": "(H,)"}
HINT = "pass variables['params'] of one cell; of nn.RNN(cell), variables['params']['cell']"


def from_linen(arrays: Mapping[str, Mapping[str, ArrayLike]]) -> Params:
    """The parameters of one cell, of the kind that its names say.

    Args:
        arrays: `variables["params"]` of the cell. A stack is one call for each layer.

    Returns:
        `LSTMParams`, `GRUParams` or `RNNParams`, in the arrays' dtypes.

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

    Returns:
        NumPy arrays, dense layer -> {"kernel", "bias"} -> array, as above.

    Raises:
        ValueError: options that Flax has no place for: peepholes, layer normalisation, coupled
            gates, projections.
    """
    return export_gates("Flax linen", params)


def import_gates(layout: str, arrays: Mapping[str, Mapping[str, ArrayLike]], hint: str) -> Params:
    """`from_linen` on behalf of another layout."""
    check_mapping(layout, arrays)
    cell = max(CELLS, key=lambda cell: len(set(_names(cell)) & set(arrays)))
    dense = _names(cell)
    if not set(dense) & set(arrays):
        known = "; ".join(", ".join(_names(cell)) for cell in CELLS)
        raise ValueError(f"{layout}: expected the names {known}; got {', '.join(arrays)}; {hint}")
    check_names(layout, arrays, dense, hint)
    given = {
        name: take(f"{layout} {name}", arrays[name], parts, prefix=f"{name}.")
        for name, parts in dense.items()
    }
    gates, _ = CELLS[cell]
    recurrent = given[f"h{gates[0]}"]["kernel"]
    sizes = {"H": recurrent.shape[-1] if recurrent.ndim else 0}
    kernel = given[f"i{gates[0]}"]["kernel"]
    sizes["D"] = kernel.shape[0] if kernel.ndim else 0
    for name, parts in given.items():
        for part, array in parts.items():
            check_shape(f"{layout} {name}.{part}", array, LETTERS[name[0] + part], sizes)

    def columns(side: str, part: str) -> np.ndarray:
        return np.concatenate([given[f"{side}{gate}"][part] for gate in gates], axis=-1)

    biases = [columns("h" if cell is LSTMParams else "i", "bias")]
    if cell is GRUParams:
        biases.append(given["hn"]["bias"])
    return to_jax(cell, columns("i", "kernel"), columns("h", "kernel"), *biases)


def export_gates(layout: str, params: Params) -> dict[str, dict[str, np.ndarray]]:
    """`to_linen` on behalf of another layout."""
    check_holds(layout, "params", params)
    cell, own = type(params), to_numpy(params)
    on_x, on_h = part_biases(own)
    blocks = {
        "ikernel": own["input_kernel"],
        "hkernel": own["recurrent_kernel"],
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
