"""The flat vector of weights of `jax.experimental.rnn.lstm`, in cuDNN's layout.

All arrays are float32. A pseudo-layer is one direction of one layer, forward before reverse. The
arrays are those of PyTorch, always with both biases:

    W_ih, W_hh of every pseudo-layer, then b_ih, b_hh of every pseudo-layer
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from lstm_jax.cells import LSTMParams
from lstm_jax.interop.checks import as_numpy
from lstm_jax.interop.parameters import Layer, each_direction
from lstm_jax.interop.torch import from_torch, name_arrays

KINDS = ("weight_ih", "weight_hh"), ("bias_ih", "bias_hh")


def from_cudnn(
    weights: ArrayLike,
    *,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    bidirectional: bool = False,
) -> tuple[Layer, ...]:
    """Convert the flat vector to layers; the sizes are those of `jax.experimental.rnn.lstm`.

    The two biases become one, their sum, rounded once.

    Args:
        weights: (N,), float32.
        input_size, hidden_size: D and H.
        num_layers: number of stacked layers.
        bidirectional: whether each layer has two directions.

    Returns:
        A tuple over layers, bottom first: `LSTMParams`, or `Directions` of them.

    Raises:
        ValueError: if a size is below 1, the vector does not have the length that they imply, or it
            is not float32.
    """
    sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    vector = as_numpy("weights", weights)
    _check_float32("weights", vector)
    shapes = _shapes(**sizes, directions=2 if bidirectional else 1)
    length = sum(map(prod, shapes.values()))
    if vector.shape != (length,):
        raise ValueError(
            f"weights must be ({length},) for {', '.join(f'{n}={s}' for n, s in sizes.items())}, "
            f"bidirectional={bidirectional}, got shape {vector.shape}"
        )
    parts = np.split(vector, np.cumsum([prod(shape) for shape in shapes.values()])[:-1])
    named = zip(shapes.items(), parts, strict=True)
    return from_torch({name: part.reshape(shape) for (name, shape), part in named})


def to_cudnn(layers: tuple[Layer, ...]) -> np.ndarray:
    """Convert layers to the flat vector (N,); `from_cudnn` restores them to the bit.

    The bias becomes b_ih, and b_hh is zeros. A bias of None becomes zeros.

    Args:
        layers: a tuple, bottom first, of `LSTMParams` or `Directions` of them, in float32.

    Returns:
        A NumPy array, float32.

    Raises:
        ValueError: if the cell or dtype is another, layers differ in width or directions, or they
            have options that this layout does not support: peepholes, layer normalization, coupled
            gates, projections.
    """
    layout = "jax.experimental.rnn"
    arrays = name_arrays(layout, layers, (LSTMParams,), projection=False, bias=True)
    for name, array in arrays.items():
        _check_float32(name, array)
    first = each_direction(layers[0])
    features, hidden = first[0].input_kernel.shape[0], first[0].recurrent_kernel.shape[0]
    order = _shapes(features, hidden, len(layers), len(first))
    return np.concatenate([arrays[name].ravel() for name in order])


def _shapes(
    input_size: int, hidden_size: int, num_layers: int, directions: int
) -> dict[str, tuple[int, ...]]:
    """Return PyTorch's name and shape of every array, in the order of the vector."""
    rows = 4 * hidden_size
    shapes = {}
    for kinds in KINDS:
        for k, suffix, kind in product(range(num_layers), ("", "_reverse")[:directions], kinds):
            below = directions * hidden_size if k else input_size
            columns = {"weight_ih": (below,), "weight_hh": (hidden_size,)}.get(kind, ())
            shapes[f"{kind}_l{k}{suffix}"] = (rows, *columns)
    return shapes


def _check_float32(name: str, array: np.ndarray) -> None:
    if array.dtype != np.float32:
        raise ValueError(
            f"{name} must be float32, the only dtype of cuDNN's layout, got {array.dtype}"
        )
