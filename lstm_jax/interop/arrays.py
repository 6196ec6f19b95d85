"""What every layout needs: arrays taken from JAX and given to it, and gates in another order."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def as_numpy(name: str, value: Any) -> np.ndarray:
    """A floating NumPy array of what a framework gives.

    Raises:
        ValueError: where it is of another dtype.
    """
    array = np.asarray(value)
    if not jnp.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name} must be an array of floating point, got dtype {array.dtype}")
    return array


def owned(array: np.ndarray) -> np.ndarray:
    """A contiguous copy that may be written to, as foreign frameworks want it."""
    return np.array(array, order="C")


def to_jax(cell: type, *arrays: np.ndarray | None, **options: np.ndarray | None) -> Any:
    """`cell(*arrays, **options)`, the parameters of a cell, from JAX's own copies."""
    return jax.tree.map(jnp.array, cell(*arrays, **options))


def to_numpy(params: Any) -> Any:
    """Parameters whose arrays are NumPy's."""
    return jax.tree.map(np.asarray, params)


def reorder(array: np.ndarray, order: str, new_order: str) -> np.ndarray:
    """The gates along the last axis, (..., G · H), from one order to another.

    Args:
        array: G blocks of H columns.
        order: one letter per block, such as "ifgo".
        new_order: the same letters.

    Raises:
        ValueError: for other letters, or columns that are no multiple of their number.
    """
    if sorted(order) != sorted(new_order):
        raise ValueError(f"order {order!r} and new_order {new_order!r} must have the same letters")
    if array.shape[-1] % len(order):
        raise ValueError(f"{array.shape[-1]} columns are not {len(order)} gates of equal width")
    blocks = dict(zip(order, np.split(array, len(order), axis=-1), strict=True))
    return np.concatenate([blocks[gate] for gate in new_order], axis=-1)


def sum_biases(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b, and a itself, bit for bit, where b is zero: -0.0 + 0.0 would be 0.0."""
    return np.where(b == 0, a, a + b)


def or_zeros(array: Any, width: int, like: Any) -> np.ndarray:
    """The bias, or zeros (width,) in the dtype of `like` where there is none."""
    return np.zeros(width, like.dtype) if array is None else array
