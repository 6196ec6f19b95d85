"""Flax NNX's `LSTMCell`, `OptimizedLSTMCell`, `GRUCell` and `SimpleCell`.

One cell is `nnx.to_pure_dict(nnx.state(cell, nnx.Param))`. `LSTMCell` has the same names as in
linen, with `if_` for `if`; the others have two dense layers, whose columns are in our order:

    OptimizedLSTMCell   dense_i {kernel (D, 4H)}          dense_h {kernel (H, 4H), bias}
    GRUCell             dense_i {kernel (D, 3H), bias}    dense_h {kernel (H, 3H)}
    SimpleCell          dense_i {kernel (D, H), bias}     dense_h {kernel (H, H)}

The GRU has no bias inside the reset product, although its docstring mentions one. Flax carries
(c, h); here the state is (h, c).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams
from lstm_jax.interop.arrays import bias_or_zeros, owned
from lstm_jax.interop.checks import as_numpy, cell_of, check_mapping, check_names, check_shape, take
from lstm_jax.interop.linen import export_gates, import_gates
from lstm_jax.interop.parameters import Params, check_holds, to_jax, to_numpy

LAYOUT = "Flax NNX"
HINT = "pass nnx.to_pure_dict(nnx.state(cell, nnx.Param)) of one cell"


def from_nnx(arrays: Mapping[str, Mapping[str, ArrayLike]]) -> Params:
    """Convert the parameters of one cell, whose kind follows from names and shapes.

    Args:
        arrays: `nnx.to_pure_dict(nnx.state(cell, nnx.Param))`. Convert a stack layer by layer.

    Returns:
        `LSTMParams`, `GRUParams` or `RNNParams`, in the dtypes of the arrays.

    Raises:
        ValueError: if names are missing or unexpected, or shapes do not fit.
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
    cell, sizes = cell_of("dense_h.kernel", as_numpy("dense_h.kernel", arrays["dense_h"]["kernel"]))
    theirs = {}
    for name in ("dense_i", "dense_h"):
        parts = ("kernel", "bias") if name == _biased(cell) else ("kernel",)
        theirs[name] = take(
            f"{LAYOUT} {name} of {cell.__name__}", arrays[name], parts, prefix=f"{name}."
        )
    kernel, recurrent = (theirs[name]["kernel"] for name in ("dense_i", "dense_h"))
    bias = theirs[_biased(cell)]["bias"]
    check_shape("dense_i.kernel", kernel, "(D, G·H)", sizes)
    check_shape(f"{_biased(cell)}.bias", bias, "(G·H,)", sizes)
    return to_jax(cell, kernel, recurrent, bias)


def to_nnx(params: Params, *, optimized: bool = False) -> dict[str, dict[str, np.ndarray]]:
    """Convert parameters to the dictionary of a cell; `from_nnx` restores them to the bit.

    Flax always has the biases above, so a bias of None becomes zeros. The GRU is `gru_step` with
    `reset_after=True`.

    Args:
        params: parameters of one cell. Convert a stack layer by layer.
        optimized: whether an LSTM is for `OptimizedLSTMCell` instead of `LSTMCell`.

    Returns:
        NumPy arrays to set with `nnx.update(cell, jax.tree.map(jnp.asarray, arrays))`.

    Raises:
        ValueError: if the parameters have options that Flax does not support: peepholes, layer
            normalization, coupled gates, projections, a GRU's `recurrent_bias`.
    """
    if isinstance(params, LSTMParams) and not optimized:
        arrays = export_gates(LAYOUT, params)
        return {"if_" if name == "if" else name: value for name, value in arrays.items()}
    check_holds(LAYOUT, "params", params)
    ours = to_numpy(params)
    if "recurrent_bias" in ours:
        raise ValueError(
            f"{LAYOUT}'s GRUCell does not support params.recurrent_bias; it must be None "
            "(linen's GRUCell supports it)"
        )
    arrays = {
        "dense_i": {"kernel": owned(ours["input_kernel"])},
        "dense_h": {"kernel": owned(ours["recurrent_kernel"])},
    }
    arrays[_biased(type(params))]["bias"] = owned(bias_or_zeros(ours))
    return arrays


def _biased(cell: type[Params]) -> str:
    return "dense_h" if cell is LSTMParams else "dense_i"
