"""Equinox's `eqx.nn.LSTMCell` and `eqx.nn.GRUCell`.

One cell is a dictionary of its arrays, `{name: getattr(cell, name) for name in ...}`:

    weight_ih   (G·H, D)    gates i, f, g, o of an LSTM; r, z, n of a GRU
    weight_hh   (G·H, H)
    bias        (G·H,)      None or not there with `use_bias=False`
    bias_n      (H,)        of a GRU, inside the reset product
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
HINT = "bias, and a GRU's bias_n, may be None or not there"


def from_equinox(arrays: Mapping[str, ArrayLike | None]) -> LSTMParams | GRUParams:
    """The parameters of one cell, of the kind that its shapes say.

    Args:
        arrays: by the names above. A stack is one call for each layer.

    Returns:
        `LSTMParams` or `GRUParams`, in the arrays' dtypes.

    Raises:
        ValueError: names that are missing or not expected, or shapes that do not fit.
    """
    check_mapping("Equinox", arrays)
    present = {name: array for name, array in arrays.items() if array is not None}
    kernels = ("weight_ih", "weight_hh")
    # Of the biases none is a must, so that each is only expected where it is.
    given = take("Equinox", present, [n for n in LETTERS if n in present or n in kernels], HINT)
    recurrent = given["weight_hh"]
    cell, sizes = cell_of("weight_hh", recurrent, transposed=True)
    if cell not in CELLS:
        raise ValueError(
            f"weight_hh has shape {recurrent.shape}; Equinox holds LSTMCell, (4H, H), and GRUCell, "
            "(3H, H)"
        )
    if "bias_n" in given and cell is LSTMParams:
        raise ValueError("Equinox: unexpected 'bias_n', which only a GRUCell has")
    for name, array in given.items():
        check_shape(name, array, LETTERS[name], sizes)
    fields = {"bias": "bias", "bias_n": "recurrent_bias"}
    biases = {fields[name]: array for name, array in given.items() if name in fields}
    return to_jax(cell, given["weight_ih"].T, recurrent.T, **biases)


def to_equinox(params: LSTMParams | GRUParams) -> dict[str, np.ndarray]:
    """The arrays of a cell; `from_equinox` gives back the same parameters, bit for bit.

    Without biases there are none in the result (`use_bias=False`). Where one of a GRU's two is
    None, it is zeros and comes back so. The GRU is `gru_step` with `reset_after=True`.

    Args:
        params: of one cell. A stack is one call for each layer.

    Returns:
        NumPy arrays: `eqx.tree_at(lambda cell: [getattr(cell, name) for name in arrays], cell,
        list(arrays.values()))`.

    Raises:
        ValueError: a vanilla RNN, and options that Equinox has no place for: peepholes, layer
            normalisation, coupled gates, projections.
    """
    check_holds("Equinox", "params", params, CELLS)
    own = to_numpy(params)
    arrays = {"weight_ih": own["input_kernel"].T, "weight_hh": own["recurrent_kernel"].T}
    if {"bias", "recurrent_bias"} & own.keys():
        arrays["bias"] = bias_or_zeros(own)
        if isinstance(params, GRUParams):
            arrays["bias_n"] = part_biases(own)[1][-params.recurrent_kernel.shape[0] :]
    return {name: owned(array) for name, array in arrays.items()}
