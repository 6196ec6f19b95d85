"""Keras' `LSTM`, `GRU` and `SimpleRNN`, and `Bidirectional` of them.

A layer is the list that its `get_weights()` gives, a stack a list of such lists:

    kernel             (D, G·H)    gates i, f, c, o of an LSTM, c being our g; z, r, h of a GRU
    recurrent_kernel   (H, G·H)
    bias               (G·H,)      not there with `use_bias=False`
                       (2, G·H)    of a GRU with `reset_after=True`: on x, and on h

`Bidirectional` has those of the forward layer and then those of the backward one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_jax.gated import GRUParams
from lstm_jax.interop.arrays import (
    as_numpy,
    or_zeros,
    owned,
    reorder,
    sum_biases,
    to_jax,
    to_numpy,
)
from lstm_jax.interop.checks import GATES, cell_of, check_holds, check_shape
from lstm_jax.interop.stacks import Layer, Params, as_layer, check_layers, each_direction


def from_keras(layers: Sequence[Sequence[Any]], *, reset_after: bool = True) -> tuple[Layer, ...]:
    """Layers from a list of `get_weights()`, of the cells that their shapes say.

    The gates of a GRU have one bias here, the sum of Keras' two, rounded once; the candidate keeps
    the two apart. `Bidirectional` runs as `Directions` do with `merge_mode="concat"`, its default.

    Args:
        layers: bottom first, each two or three arrays, or four or six of `Bidirectional`.
        reset_after: of the GRUs among them, to be run by `gru(..., reset_after=...)` alike.

    Returns:
        A tuple over layers: parameters, or `Directions` of them.

    Raises:
        ValueError: another number of arrays, shapes that do not fit, or a GRU's bias of the other
            `reset_after`.
    """
    return tuple(_import_layer(f"layers[{k}]", own, reset_after) for k, own in enumerate(layers))


def to_keras(layers: tuple[Layer, ...], *, reset_after: bool = True) -> list[list[np.ndarray]]:
    """What `set_weights` takes, a list for each layer; `from_keras` gives it back, bit for bit.

    A bias of None leaves Keras' out (`use_bias=False`). Where only one of the two of a GRU, or
    one direction's, is None, it is zeros and comes back so.

    Args:
        layers: a tuple, bottom first, of parameters or `Directions`.
        reset_after: of the GRUs among them; with False they have no `recurrent_bias`.

    Raises:
        ValueError: options that Keras has no place for: peepholes, layer normalisation, coupled
            gates, projections, and a `recurrent_bias` with `reset_after=False`.
    """
    check_layers(layers)
    exported = []
    for k, layer in enumerate(layers):
        directions = each_direction(layer)
        for params in directions:
            check_holds("Keras", f"layers[{k}]", params, tuple(GATES))
            if not reset_after and getattr(params, "recurrent_bias", None) is not None:
                raise ValueError(
                    f"Keras' GRU with reset_after=False has no place for layers[{k}]"
                    ".recurrent_bias; it must be None"
                )
        biased = any(
            getattr(params, name, None) is not None
            for params in directions
            for name in ("bias", "recurrent_bias")
        )
        exported.append([a for p in directions for a in _export(to_numpy(p), biased, reset_after)])
    return exported


def _import_layer(name: str, arrays: Sequence[Any], reset_after: bool) -> Layer:
    if isinstance(arrays, (str, bytes, dict)) or not isinstance(arrays, Sequence):
        raise ValueError(f"{name} must be a list, as get_weights() gives, not {type(arrays)}")
    if len(arrays) not in (2, 3, 4, 6):
        raise ValueError(
            f"{name} must have 2 or 3 arrays (kernel, recurrent_kernel, bias), or 4 or 6 of "
            f"Bidirectional, got {len(arrays)}"
        )
    if len(arrays) < 4:
        return _import(name, arrays, reset_after)
    half = len(arrays) // 2
    sides = {"forward": arrays[:half], "backward": arrays[half:]}
    return as_layer([_import(f"{name} {s}", own, reset_after) for s, own in sides.items()])


def _import(name: str, arrays: Sequence[Any], reset_after: bool) -> Params:
    names = [f"{name} {part}" for part in ("kernel", "recurrent_kernel", "bias")]
    kernel, recurrent, *rest = (as_numpy(n, a) for n, a in zip(names, arrays, strict=False))
    cell = cell_of(names[1], recurrent)
    hidden, columns = recurrent.shape
    features = kernel.shape[0] if kernel.ndim else 0
    check_shape(names[0], kernel, (features, columns), "(D, G·H)")
    bias = rest[0] if rest else None
    if cell is not GRUParams:
        if bias is not None:
            check_shape(names[2], bias, (columns,), "(G·H,)")
        return to_jax(cell, kernel, recurrent, bias)

    if bias is not None:
        shape, other = ((2, columns), (columns,))[:: 1 if reset_after else -1]
        if bias.shape == other:
            raise ValueError(
                f"{names[2]} has shape {bias.shape}, that of a GRU with reset_after="
                f"{not reset_after}; pass that here and to gru(...)"
            )
        check_shape(names[2], bias, shape, "(2, 3H)" if reset_after else "(3H,)")
    if bias is None or not reset_after:
        input_bias, recurrent_bias = bias, None
    else:
        gates = np.arange(columns) < 2 * hidden
        input_bias = sum_biases(bias[0], np.where(gates, bias[1], np.zeros_like(bias[1])))
        recurrent_bias = bias[1, 2 * hidden :]
    kernel, recurrent = (reorder(a, "zrn", "rzn") for a in (kernel, recurrent))
    if input_bias is not None:
        input_bias = reorder(input_bias, "zrn", "rzn")
    return to_jax(GRUParams, kernel, recurrent, input_bias, recurrent_bias)


def _export(params: Any, biased: bool, reset_after: bool) -> list[np.ndarray]:
    kernel, recurrent = params.input_kernel, params.recurrent_kernel
    hidden, columns = recurrent.shape
    biases = [or_zeros(params.bias, columns, kernel)] if biased else []
    if isinstance(params, GRUParams):
        kernel, recurrent, *biases = (
            reorder(a, "rzn", "zrn") for a in (kernel, recurrent, *biases)
        )
        if biases and reset_after:
            candidate = or_zeros(params.recurrent_bias, hidden, kernel)
            on_h = np.concatenate([np.zeros(2 * hidden, kernel.dtype), candidate])
            biases = [np.stack([*biases, on_h])]
    return [owned(array) for array in (kernel, recurrent, *biases)]
