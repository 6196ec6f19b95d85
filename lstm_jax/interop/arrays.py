"""Conversion between the layouts of frameworks: orders of gates, and biases.

Most layouts have their own order of gates, possibly transposed kernels, and one or two biases, on x
and on h, where ours has one. This module handles orders and biases; the module of each layout knows
its names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from jax import Array

from lstm_jax.gated import GRUParams
from lstm_jax.interop.parameters import Params

A = TypeVar("A", np.ndarray, Array)


def owned(array: np.ndarray) -> np.ndarray:
    """Return a contiguous, writable copy, as other frameworks need it."""
    return np.array(array, order="C")


def reorder(array: A, order: Sequence[str], new_order: Sequence[str]) -> A:
    """Reorder the gates along the last axis, (..., G · H).

    Args:
        array: G blocks of H columns, a NumPy or JAX array; the result is of the same kind.
        order: one letter per block, such as "ifgo".
        new_order: the same letters in the new order.

    Raises:
        ValueError: if the letters differ, or their number does not divide that of the columns.
    """
    if sorted(order) != sorted(new_order):
        raise ValueError(f"order {order!r} and new_order {new_order!r} must have the same letters")
    if array.shape[-1] % len(order):
        raise ValueError(f"{array.shape[-1]} columns are not {len(order)} gates of equal width")
    width = array.shape[-1] // len(order)
    columns = [order.index(gate) * width + np.arange(width) for gate in new_order]
    return array[..., np.concatenate(columns)]


def sum_biases(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a + b, but a itself where b is zero, because -0.0 + 0.0 would be 0.0."""
    return np.where(b == 0, a, a + b)


def join_biases(cell: type[Params], on_x: np.ndarray, on_h: np.ndarray) -> list[np.ndarray]:
    """Sum two biases (G · H,) to ours; a GRU's candidate, the last gate, keeps the bias on h."""
    if cell is not GRUParams:
        return [sum_biases(on_x, on_h)]
    # Only the candidate's bias on h is inside the reset product.
    hidden = len(on_h) // 3
    gates = np.where(np.arange(3 * hidden) < 2 * hidden, on_h, np.zeros_like(on_h))
    return [sum_biases(on_x, gates), on_h[2 * hidden :]]


def part_biases(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Split the bias of `to_numpy(params)` into biases on x and on h, the inverse of `join_biases`.

    Missing biases are zeros.
    """
    on_x = bias_or_zeros(arrays)
    candidate = arrays.get("recurrent_bias", on_x[:0])
    return on_x, np.concatenate([np.zeros_like(on_x[candidate.size :]), candidate])


def bias_or_zeros(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the bias (G · H,) of `to_numpy(params)`, or zeros in the dtype of the kernel."""
    kernel = arrays["input_kernel"]
    return arrays["bias"] if "bias" in arrays else np.zeros(kernel.shape[1], kernel.dtype)
