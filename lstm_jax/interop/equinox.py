"""Equinox's `eqx.nn.LSTMCell` and `eqx.nn.GRUCell`.

One cell is a dictionary of its arrays, `{name: getattr(cell, name) for name in ...}`:

    weight_ih   (G·H, D)    gates i, f, g, o of an LSTM; r, z, n of a GRU
    weight_hh   (G·H, H)
    bias        (G·H,)      None or missing with `use_bias=False`
    bias_n      (H,)        only for a GRU, inside the reset product
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import bias_or_zeros, owned, part_biases
from lstm_jax.interop.checks import cell_of, check_mapping, check_shape, take
from lstm_jax.interop.parameters import check_holds, to_jax, to_numpy

CELLS = (LSTMParams, GRUParams)
LETTERS = {
    "weight_ih": "(G·H, D)",
    "weight_hh": "(G·H, H)",
    "bias": "(G·H,)",
    "bias_n": "(H,)",
}
HINT = "bias, and a GRU's bias_n, may be None or missing"


def from_equinox(arrays: Mapping[str, ArrayLike | None]) -> LSTMParams | GRUParams:
    """Convert the arrays of one cell, whose kind follows from their shapes.

    Args:
        arrays: arrays by the names above. Convert a stack layer by layer.

    Returns:
        `LSTMParams` or `GRUParams`, in the dtypes of the arrays.

    Raises:
        ValueError: if names are missing or unexpected, or shapes do not fit.
    """
    check_mapping("Equinox", arrays)
    present = {name: array for name, array in arrays.items() if array is not None}
    kernels = ("weight_ih", "weight_hh")
    # Biases are optional, so each is expected only if it is present.
    theirs = take("Equinox", present, [n for n in LETTERS if n in present or n in kernels], HINT)
    recurrent = theirs["weight_hh"]
    cell, sizes = cell_of("weight_hh", recurrent, transposed=True)
    if cell not in CELLS:
        raise ValueError(
            "weight_hh must be (4H, H) of Equinox's LSTMCell or (3H, H) of its GRUCell, got shape "
            f"{recurrent.shape}"
        )
    if "bias_n" in theirs and cell is LSTMParams:
        raise ValueError("Equinox: unexpected 'bias_n', which only a GRUCell has")
    for name, array in theirs.items():
        check_shape(name, array, LETTERS[name], sizes)
    fields = {"bias": "bias", "bias_n": "recurrent_bias"}
    biases = {fields[name]: array for name, array in theirs.items() if name in fields}
    return to_jax(cell, theirs["weight_ih"].T, recurrent.T, **biases)


def to_equinox(params: LSTMParams | GRUParams) -> dict[str, np.ndarray]:
    """Convert the parameters of a cell; `from_equinox` restores them to the bit.

    Without biases, the result has none (`use_bias=False`). If only one of a GRU's two biases is
    None, it becomes zeros. The GRU is `gru_step` with `reset_after=True`.

    Args:
        params: parameters of one cell. Convert a stack layer by layer.

    Returns:
        NumPy arrays to set with `eqx.tree_at(lambda cell: [getattr(cell, name) for name in
        arrays], cell, list(arrays.values()))`.

    Raises:
        ValueError: if the cell is a vanilla RNN, or has options that Equinox does not support:
            peepholes, layer normalization, coupled gates, projections.
    """
    check_holds("Equinox", "params", params, CELLS)
    ours = to_numpy(params)
    arrays = {"weight_ih": ours["input_kernel"].T, "weight_hh": ours["recurrent_kernel"].T}
    if {"bias", "recurrent_bias"} & ours.keys():
        arrays["bias"] = bias_or_zeros(ours)
        if isinstance(params, GRUParams):
            arrays["bias_n"] = part_biases(ours)[1][-params.recurrent_kernel.shape[0] :]
    return {name: owned(array) for name, array in arrays.items()}
