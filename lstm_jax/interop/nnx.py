"""Flax NNX's `LSTMCell`, `OptimizedLSTMCell`, `GRUCell` and `SimpleCell`.

One cell is `nnx.to_pure_dict(nnx.state(cell, nnx.Param))`. `LSTMCell` has the names of linen's,
with `if_` for `if`; the others have two dense layers, whose columns are in our order:

    OptimizedLSTMCell   dense_i {kernel (D, 4H)}          dense_h {kernel (H, 4H), bias}
    GRUCell             dense_i {kernel (D, 3H), bias}    dense_h {kernel (H, 3H)}
    SimpleCell          dense_i {kernel (D, H), bias}     dense_h {kernel (H, H)}

The GRU has no bias inside the reset product, whatever its docstring says. Flax carries (c, h);
here the state is (h, c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_jax.cells import LSTMParams
from lstm_jax.interop.arrays import as_numpy, or_zeros, owned, to_jax, to_numpy
from lstm_jax.interop.checks import (
    GATES,
    cell_of,
    check_holds,
    check_mapping,
    check_names,
    check_shape,
)
from lstm_jax.interop.linen import export_gates, import_gates
from lstm_jax.interop.stacks import Params

LAYOUT = "Flax NNX"
HINT = "pass nnx.to_pure_dict(nnx.state(cell, nnx.Param)) of one cell"


def from_nnx(arrays: Mapping[str, Mapping[str, Any]]) -> Params:
    """The parameters of one cell, of the kind that its names and shapes say.

    Args:
        arrays: `nnx.to_pure_dict(nnx.state(cell, nnx.Param))`. A stack is one call for each layer.

    Raises:
        ValueError: names that are missing or not expected, or shapes that do not fit.
    """
    check_mapping(LAYOUT, arrays)
    if not {"dense_i", "dense_h"} & set(arrays):
        renamed = {"if" if name == "if_" else name: value for name, value in arrays.items()}
        return import_gates(LAYOUT, renamed, HINT)
    check_names(LAYOUT, arrays, ("dense_i", "dense_h"), HINT)
    for name in ("dense_i", "dense_h"):
        check_mapping(f"{LAYOUT} {name}", arrays[name])
        if "kernel" not in arrays[name]:
            raise ValueError(f"{LAYOUT} {name}: missing 'kernel'; {HINT}")
    recurrent = as_numpy("dense_h.kernel", arrays["dense_h"]["kernel"])
    cell = cell_of("dense_h.kernel", recurrent)
    biased = _biased(cell)
    for name in ("dense_i", "dense_h"):
        parts = ("kernel", "bias") if name == biased else ("kernel",)
        check_names(f"{LAYOUT} {name} of {cell.__name__}", arrays[name], parts)
    kernel = as_numpy("dense_i.kernel", arrays["dense_i"]["kernel"])
    bias = as_numpy(f"{biased}.bias", arrays[biased]["bias"])
    columns, features = recurrent.shape[1], kernel.shape[0] if kernel.ndim else 0
    check_shape("dense_i.kernel", kernel, (features, columns), "(D, G·H)")
    check_shape(f"{biased}.bias", bias, (columns,), "(G·H,)")
    return to_jax(cell, kernel, recurrent, bias)


def to_nnx(params: Params, *, optimized: bool = False) -> dict[str, dict[str, np.ndarray]]:
    """The dictionary of a cell; `from_nnx` gives back the same parameters, bit for bit.

    Flax has the biases above always: one that is None is zeros and comes back so. The GRU is
    `gru_step` with `reset_after=True`.

    Args:
        params: of one cell. A stack is one call for each layer.
        optimized: an LSTM is `OptimizedLSTMCell`'s instead of `LSTMCell`'s.

    Returns:
        NumPy arrays: `nnx.update(cell, jax.tree.map(jnp.asarray, arrays))`.

    Raises:
        ValueError: options that Flax has no place for: peepholes, layer normalisation, coupled
            gates, projections, a GRU's `recurrent_bias`.
    """
    if isinstance(params, LSTMParams) and not optimized:
        arrays = export_gates(LAYOUT, params)
        return {"if_" if name == "if" else name: value for name, value in arrays.items()}
    check_holds(LAYOUT, "params", params, tuple(GATES))
    if getattr(params, "recurrent_bias", None) is not None:
        raise ValueError(
            f"{LAYOUT}'s GRUCell has no place for params.recurrent_bias; it must be None "
            "(linen's GRUCell has)"
        )
    own = to_numpy(params)
    kernel = own.input_kernel
    arrays = {
        "dense_i": {"kernel": owned(kernel)},
        "dense_h": {"kernel": owned(own.recurrent_kernel)},
    }
    arrays[_biased(type(params))]["bias"] = owned(or_zeros(own.bias, kernel.shape[1], kernel))
    return arrays


def _biased(cell: type) -> str:
    return "dense_h" if cell is LSTMParams else "dense_i"
