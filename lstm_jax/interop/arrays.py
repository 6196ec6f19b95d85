"""What layouts differ in, and how to get from one to another: orders of gates, places of biases.

Most have gates in an order of their own, kernels that may be transposed, and one bias or two, on x
and on h, where we have one. This module knows orders and biases; a layout's own says its names.
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
    """A contiguous copy that may be written to, as foreign frameworks want it."""
    return np.array(array, order="C")


def reorder(array: A, order: Sequence[str], new_order: Sequence[str]) -> A:
    """The gates along the last axis, (..., G · H), from one order to another.

    Args:
        array: G blocks of H columns, NumPy's or JAX's; the result is likewise.
        order: one letter per block, such as "ifgo".
        new_order: the same letters.

    Raises:
        ValueError: for other letters, or columns that are no multiple of their number.
    """
    if sorted(order) != sorted(new_order):
        raise ValueError(f"order {order!r} and new_order {new_order!r} must have the same letters")
    if array.shape[-1] % len(order):
        raise ValueError(f"{array.shape[-1]} columns are not {len(order)} gates of equal width")
    width = array.shape[-1] // len(order)
    columns = [order.index(gate) * width + np.arange(width) for gate in new_order]
    return array[..., np.concatenate(columns)]


def sum_biases(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b, and a itself, bit for bit, where b is zero: -0.0 + 0.0 would be 0.0."""
    return np.where(b == 0, a, a + b)


def join_biases(cell: type[Params], on_x: np.ndarray, on_h: np.ndarray) -> list[np.ndarray]:
    """Two biases (G · H,) as ours: their sum; a GRU's candidate, the last gate, keeps h's apart."""
    if cell is not GRUParams:
        return [sum_biases(on_x, on_h)]
    # The candidate's bias on h stands inside the reset product; the gates' do not.
    hidden = len(on_h) // 3
    gates = np.where(np.arange(3 * hidden) < 2 * hidden, on_h, np.zeros_like(on_h))
    return [sum_biases(on_x, gates), on_h[2 * hidden :]]


def part_biases(own: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `join_biases`: on x and on h, zeros where `to_numpy(params)` has none."""
    on_x = bias_or_zeros(own)
    candidate = own.get("recurrent_bias", on_x[:0])
    return on_x, np.concatenate([np.zeros_like(on_x[candidate.size :]), candidate])


def bias_or_zeros(own: Mapping[str, np.ndarray]) -> np.ndarray:
    """The bias (G · H,) of `to_numpy(params)`, or zeros in the kernel's dtype."""
    kernel = own["input_kernel"]
    return own["bias"] if "bias" in own else np.zeros(kernel.shape[1], kernel.dtype)
