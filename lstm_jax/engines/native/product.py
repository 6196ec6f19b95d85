"""Products with weights that stay the same from call to call: packed once, multiplied often.

    y = x W + b        W (K, N) in panels (P, K, 64) of 64 columns each, zeros beyond the last

A decoding loop multiplies few rows with all its weights at every symbol. Of few rows such a product
takes as long as the weights take to be read, and float16 halves that; of many rows it runs at the
rate of the arithmetic, if nothing has to be rearranged first.
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

COLUMNS = 64  # of a panel; kernels.cc has it too


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Packed:
    """Hold the weights and the bias of an affine map, as `multiply` reads them.

    Attributes:
        panels: (P, K, 64), float32 or float16.
        bias: (N,), float32.
    """

    panels: Array
    bias: Array


def pack(weights: Array, bias: Array | None, dtype: DTypeLike = jnp.float32) -> Packed:
    """Rearrange the weights of an affine map.

    Args:
        weights: (K, N).
        bias: (N,); zeros if None.
        dtype: float32, or float16 where that holds every weight exactly: then the results are the
            same, bit for bit.

    Returns:
        What `multiply` takes.
    """
    features, columns = weights.shape
    padded = jnp.pad(weights.astype(dtype), ((0, 0), (0, -columns % COLUMNS)))
    panels = padded.reshape(features, -1, COLUMNS).swapaxes(0, 1)
    return Packed(panels, jnp.zeros(columns, jnp.float32) if bias is None else bias)


def multiply(xs: Array, packed: Packed) -> Array:
    """Give x W + b.

    Args:
        xs: (..., K), float32.
        packed: from `pack`.

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
