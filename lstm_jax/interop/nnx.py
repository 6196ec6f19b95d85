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
    """The parameters of one cell, of the kind that its names and shapes say.

    Args:
        arrays: `nnx.to_pure_dict(nnx.state(cell, nnx.Param))`. A stack is one call for each layer.

    Returns:
        `LSTMParams`, `GRUParams` or `RNNParams`, in the arrays' dtypes.

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
    cell, sizes = cell_of("dense_h.kernel", as_numpy("dense_h.kernel", arrays["dense_h"]["kernel"]))
    given = {}
    for name in ("dense_i", "dense_h"):
        parts = ("kernel", "bias") if name == _biased(cell) else ("kernel",)
        given[name] = take(
            f"{LAYOUT} {name} of {cell.__name__}", arrays[name], parts, prefix=f"{name}."
        )
    kernel, recurrent = (given[name]["kernel"] for name in ("dense_i", "dense_h"))
    bias = given[_biased(cell)]["bias"]
    check_shape("dense_i.kernel", kernel, "(D, G·H)", sizes)
    check_shape(f"{_biased(cell)}.bias", bias, "(G·H,)", sizes)
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
    check_holds(LAYOUT, "params", params)
    own = to_numpy(params)
    if "recurrent_bias" in own:
        raise ValueError(
            f"{LAYOUT}'s GRUCell has no place for params.recurrent_bias; it must be None "
            "(linen's GRUCell has)"
        )
    arrays = {
        "dense_i": {"kernel": owned(own["input_kernel"])},
        "dense_h": {"kernel": owned(own["recurrent_kernel"])},
    }
    arrays[_biased(type(params))]["bias"] = owned(bias_or_zeros(own))
    return arrays


def _biased(cell: type[Params]) -> str:
    return "dense_h" if cell is LSTMParams else "dense_i"
