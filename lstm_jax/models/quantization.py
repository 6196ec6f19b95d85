"""Large matrices in a byte an element: integers in [-127, 127], and a scale for every channel.

The released Tang model, 13.1 MiB in float16 and 6.6 so, has a validation perplexity of 103.925 and
103.929 (`lstm-jax evaluate --split valid`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

SCALE = ".scale"
"""What the name of a matrix's scales ends with, after the matrix's own."""
SMALLEST = 4096
"""Elements from which on a matrix is stored so; what is smaller, and vectors, stay float16."""


def quantize(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a matrix to symmetric 8-bit integers, each row or each column by a scale of its own.

    A channel of outputs is a column of a kernel and a row of an embedding that the softmax reads.
    Whichever of the two axes leaves less of a squared error is taken.

    Args:
        matrix: (..., R, C), finite.

    Returns:
        `(integers, scales)`: int8 of the matrix's shape, and float16 (..., R, 1) or (..., 1, C).
    """
    matrix = matrix.astype(np.float32)
    both = [_along(matrix, axis) for axis in (-1, -2)]
    errors = [float(((dequantize(*each) - matrix) ** 2).sum()) for each in both]
    return both[int(np.argmin(errors))]


def dequantize(integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Give the matrix that integers and scales stand for.

    Args:
        integers, scales: as `quantize` gives them.

    Returns:
        float32.
    """
    return integers.astype(np.float32) * scales.astype(np.float32)


def packed(arrays: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """Pack a model's arrays: large matrices as int8 beside their scales, the rest as float16.

    Args:
        arrays: by their names.

    Returns:
        By their names, and those of the scales.
    """
    found: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.ndim > 1 and array.size >= SMALLEST:
            found[name], found[name + SCALE] = quantize(array)
        else:
            found[name] = array.astype(np.float16)
    return found


def unpacked(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Undo `packed`; arrays without scales stay as they are.

    Args:
        arrays: by their names, as a file holds them.

    Returns:
        float32 in place of int8 and its scales.

    Raises:
        ValueError: scales that do not fit their matrix; they are named.
    """
    found = dict(arrays)
    for name in [name for name in arrays if name.endswith(SCALE)]:
        scales, matrix = found.pop(name), arrays.get(name.removesuffix(SCALE))
        if matrix is None or matrix.dtype != np.int8:
            kind = "nothing" if matrix is None else matrix.dtype
            raise ValueError(f"{name} is for a matrix of int8, and finds {kind}")
        fitting = (*matrix.shape[:-1], 1), (*matrix.shape[:-2], 1, *matrix.shape[-1:])
        if scales.dtype != np.float16 or scales.shape not in fitting:
            raise ValueError(
                f"{name} should be float16 of {fitting[0]} or {fitting[1]}, found {scales.dtype} "
                f"of {scales.shape}"
            )
        found[name.removesuffix(SCALE)] = dequantize(matrix, scales)
    return found


def _along(matrix: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantize with one scale for all that lies along an axis."""
    scales = (np.abs(matrix).max(axis, keepdims=True) / 127).astype(np.float16)
    # A scale too small for float16 is 0, and so is then what it stands for.
    steps = matrix / np.where(scales == 0, np.inf, scales).astype(np.float32)
    return np.clip(np.rint(steps), -127, 127).astype(np.int8), scales
