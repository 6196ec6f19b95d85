"""Products with constant weights that are packed once and multiplied often.

    y = x W + b        W (K, N) in panels (P, K, 64) of 64 columns each, padded with zeros

A decoding loop multiplies a few rows by all its weights at every symbol. With few rows, such a
product takes as long as reading the weights, and float16 halves that time. With many rows, it runs
at the rate of the arithmetic, if nothing has to be rearranged first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lstm_jax.engines.native import rows
from lstm_jax.engines.native.library import target
from lstm_jax.engines.twins import Twin, call

Arrays: TypeAlias = tuple[Array, ...]

COLUMNS = 64  # columns of a panel; the same number is in kernels.cc


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Packed:
    """Store the weights and the bias of an affine map for `multiply`.

    Attributes:
        panels: (P, K, 64), float32 or float16.
        bias: (N,), float32.
    """

    panels: Array
    bias: Array


def pack(weights: Array, bias: Array | None, dtype: DTypeLike = jnp.float32) -> Packed:
    """Rearrange the weights of an affine map for `multiply`.

    Args:
        weights: (K, N).
        bias: (N,); zeros if None.
        dtype: float32, or float16 if every weight is exact in it; the results are then identical
            to the bit.

    Returns:
        The packed weights.
    """
    features, columns = weights.shape
    padded = jnp.pad(weights.astype(dtype), ((0, 0), (0, -columns % COLUMNS)))
    panels = padded.reshape(features, -1, COLUMNS).swapaxes(0, 1)
    return Packed(panels, jnp.zeros(columns, jnp.float32) if bias is None else bias)


def multiply(xs: Array, packed: Packed) -> Array:
    """Compute x W + b.

    Args:
        xs: (..., K), float32.
        packed: weights packed by `pack`.

    Returns:
        (..., N), float32.
    """
    return call(Twin(_portable, _native), xs, packed.panels, packed.bias)[0]


def _portable(xs: Array, panels: Array, bias: Array) -> Arrays:
    weights = panels.swapaxes(0, 1).reshape(panels.shape[1], -1)[:, : bias.size]
    return (xs @ weights.astype(xs.dtype) + bias,)


def _native(xs: Array, panels: Array, bias: Array) -> Arrays:
    return rows.flat(_multiply, (0, None, None), (0,))(xs, panels, bias)


def _multiply(xs: Array, panels: Array, bias: Array) -> Arrays:
    result = jax.ShapeDtypeStruct((xs.shape[0], bias.size), jnp.float32)
    return (jax.ffi.ffi_call(target("multiply"), result)(xs, panels, bias),)
