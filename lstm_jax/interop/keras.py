"""Keras's `LSTM`, `GRU` and `SimpleRNN`, and `Bidirectional` of them.

A layer is the list that its `get_weights()` returns, and a stack is a list of such lists:

    kernel             (D, G·H)    gates i, f, c, o of an LSTM, where c is our g; z, r, h of a GRU
    recurrent_kernel   (H, G·H)
    bias               (G·H,)      missing with `use_bias=False`
                       (2, G·H)    for a GRU with `reset_after=True`: on x, and on h

`Bidirectional` has the arrays of the forward layer, then those of the backward layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams, RNNParams
from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import bias_or_zeros, join_biases, owned, part_biases, reorder
from lstm_jax.interop.checks import as_numpy, cell_of, check_shape
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

# In our letters: Keras's c is g, and the h of its GRU is n.
ORDER = {LSTMParams: "ifgo", GRUParams: "zrn", RNNParams: "h"}


def from_keras(
    layers: Sequence[Sequence[ArrayLike]], *, reset_after: bool = True
) -> tuple[Layer, ...]:
    """Convert a list of `get_weights()` to layers, whose cells follow from the shapes.

    The gates of a GRU have one bias here, the sum of Keras's two, rounded once; the candidate keeps
    both. `Bidirectional` runs as `Directions` do with `merge_mode="concat"`, its default.

    Args:
        layers: bottom first, each two or three arrays, or four or six for `Bidirectional`.
        reset_after: variant of the GRUs; pass it to `gru(..., reset_after=...)` too.

    Returns:
        A tuple over layers: parameters, or `Directions` of them.

    Raises:
        ValueError: if the number of arrays is another, shapes do not fit, or the bias of a GRU is
            that of the other `reset_after`.
    """
    numbered = enumerate(layers)
    return tuple(_import_layer(f"layers[{k}]", arrays, reset_after) for k, arrays in numbered)


def to_keras(layers: tuple[Layer, ...], *, reset_after: bool = True) -> list[list[np.ndarray]]:
    """Convert layers to lists for `set_weights`; `from_keras` restores them to the bit.

    A bias of None is left out (`use_bias=False`). If only one of a GRU's two biases, or the bias of
    one direction, is None, it becomes zeros.

    Args:
        layers: a tuple, bottom first, of parameters or `Directions`.
        reset_after: variant of the GRUs; with False they must not have a `recurrent_bias`.

    Returns:
        NumPy arrays in the order of `get_weights()`, a list for each layer.

    Raises:
        ValueError: if the layers have options that Keras does not support: peepholes, layer
            normalization, coupled gates, projections, a `recurrent_bias` with `reset_after=False`.
    """
    check_layers(layers)
    exported = []
    for k, layer in enumerate(layers):
        directions = each_direction(layer)
        for params in directions:
            check_holds("Keras", f"layers[{k}]", params)
            if not reset_after and "recurrent_bias" in arrays_of(params):
                raise ValueError(
                    f"Keras's GRU with reset_after=False does not support layers[{k}]"
                    ".recurrent_bias; it must be None"
                )
        biased = any({"bias", "recurrent_bias"} & arrays_of(params).keys() for params in directions)
        exported.append([a for p in directions for a in _export(p, biased, reset_after)])
    return exported


def _import_layer(name: str, arrays: Sequence[ArrayLike], reset_after: bool) -> Layer:
    if isinstance(arrays, (str, bytes, dict)) or not isinstance(arrays, Sequence):
        raise ValueError(
            f"{name} must be a list, as get_weights() returns it, got {type(arrays).__name__}"
        )
    if len(arrays) not in (2, 3, 4, 6):
        raise ValueError(
            f"{name} must have 2 or 3 arrays (kernel, recurrent_kernel, bias), or 4 or 6 for "
            f"Bidirectional, got {len(arrays)}"
        )
    if len(arrays) < 4:
        return _import(name, arrays, reset_after)
    half = len(arrays) // 2
    sides = {"forward": arrays[:half], "backward": arrays[half:]}
    return as_layer([_import(f"{name} {s}", part, reset_after) for s, part in sides.items()])


def _import(name: str, arrays: Sequence[ArrayLike], reset_after: bool) -> Params:
    names = [f"{name} {part}" for part in ("kernel", "recurrent_kernel", "bias")]
    kernel, recurrent, *biases = (as_numpy(n, a) for n, a in zip(names, arrays, strict=False))
    cell, sizes = cell_of(names[1], recurrent)
    check_shape(names[0], kernel, "(D, G·H)", sizes)
    for bias in biases:
        letters = "(G·H,)"
        if cell is GRUParams:
            letters = "(2, 3H)" if reset_after else "(3H,)"
            if bias.shape == ((sizes["3H"],) if reset_after else (2, sizes["3H"])):
                raise ValueError(
                    f"{names[2]} has shape {bias.shape}, that of a GRU with reset_after="
                    f"{not reset_after}; pass it here and to gru(...)"
                )
        check_shape(names[2], bias, letters, sizes)
    ours = (reorder(a, ORDER[cell], GATES[cell]) for a in (kernel, recurrent, *biases))
    kernel, recurrent, *biases = ours
    if cell is GRUParams and reset_after and biases:
        biases = join_biases(cell, *biases[0])
    return to_jax(cell, kernel, recurrent, *biases)


def _export(params: Params, biased: bool, reset_after: bool) -> list[np.ndarray]:
    ours, cell = to_numpy(params), type(params)
    arrays = [ours["input_kernel"], ours["recurrent_kernel"]]
    if biased and cell is GRUParams and reset_after:
        arrays.append(np.stack(part_biases(ours)))
    elif biased:
        arrays.append(bias_or_zeros(ours))
    return [owned(reorder(array, GATES[cell], ORDER[cell])) for array in arrays]
