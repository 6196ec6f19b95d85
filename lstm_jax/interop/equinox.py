"""Equinox's `eqx.nn.LSTMCell` and `eqx.nn.GRUCell`.

One cell is a dictionary of its arrays, `{name: getattr(cell, name) for name in ...}`:

    weight_ih   (G·H, D)    gates i, f, g, o of an LSTM; r, z, n of a GRU
    weight_hh   (G·H, H)
    bias        (G·H,)      None or not there with `use_bias=False`
    bias_n      (H,)        of a GRU, inside the reset product
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_jax.cells import LSTMParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import as_numpy, or_zeros, owned, to_jax, to_numpy
from lstm_jax.interop.checks import cell_of, check_holds, check_mapping, check_names, check_shape

NAMES = ("weight_ih", "weight_hh", "bias", "bias_n")
HINT = "bias, and a GRU's bias_n, may be None or not there"


def from_equinox(arrays: Mapping[str, Any]) -> LSTMParams | GRUParams:
    """The parameters of one cell, of the kind that its shapes say.

    Args:
        arrays: by the names above. A stack is one call for each layer.

    Raises:
        ValueError: names that are missing or not expected, or shapes that do not fit.
    """
    check_mapping("Equinox", arrays)
    given = {name: array for name, array in arrays.items() if array is not None}
    kernels = ("weight_ih", "weight_hh")
    # Of the biases none is a must, so that each is only expected where it is.
    check_names("Equinox", given, [n for n in NAMES if n in given or n in kernels], HINT)
    given = {name: as_numpy(name, array) for name, array in given.items()}
    recurrent = given["weight_hh"]
    cell = cell_of("weight_hh", recurrent, transposed=True)
    if cell not in (LSTMParams, GRUParams):
        raise ValueError(
            f"weight_hh has shape {recurrent.shape}; Equinox holds LSTMCell, (4H, H), and GRUCell, "
            "(3H, H)"
        )
    if "bias_n" in given and cell is LSTMParams:
        raise ValueError("Equinox: unexpected 'bias_n', which only a GRUCell has")
    rows, hidden = recurrent.shape
    features = given["weight_ih"].shape[-1] if given["weight_ih"].ndim else 0
    shapes = {
        "weight_ih": ("(G·H, D)", (rows, features)),
        "bias": ("(G·H,)", (rows,)),
        "bias_n": ("(H,)", (hidden,)),
    }
    for name, (letters, shape) in shapes.items():
        if name in given:
            check_shape(name, given[name], shape, letters)
    names = ("bias",) if cell is LSTMParams else ("bias", "bias_n")
    biases = (given.get(name) for name in names)
    return to_jax(cell, given["weight_ih"].T, recurrent.T, *biases)


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
    check_holds("Equinox", "params", params, (LSTMParams, GRUParams))
    own = to_numpy(params)
    kernel, recurrent = own.input_kernel, own.recurrent_kernel
    arrays = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
    candidate = getattr(own, "recurrent_bias", None)
    if own.bias is not None or candidate is not None:
        arrays["bias"] = or_zeros(own.bias, kernel.shape[1], kernel)
        if isinstance(params, GRUParams):
            arrays["bias_n"] = or_zeros(candidate, recurrent.shape[0], kernel)
    return {name: owned(array) for name, array in arrays.items()}
