"""Explicit promotion of operands that differ in rank or dtype.

JAX refuses implicit promotion under `jax_numpy_rank_promotion="raise"` and
`jax_numpy_dtype_promotion="strict"`. Operands that differ on purpose, such as a float32 c and a
bfloat16 h, are promoted here; the compiled program is the same.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike


def lift(array: Array, rank: int) -> Array:
    """Prepend axes of length 1 to an array until it has the given rank."""
    return jax.lax.broadcast(array, (1,) * (rank - array.ndim)) if array.ndim < rank else array


def common(*arrays: ArrayLike | DTypeLike) -> jnp.dtype:
    """Return the dtype that arrays and dtypes promote to."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*arrays)


def float32_at_least(dtype: DTypeLike) -> jnp.dtype:
    """Return the dtype, or float32 if it is narrower."""
    return common(dtype, jnp.float32)


def aligned(a: Array, b: Array) -> tuple[Array, Array]:
    """Return two arrays in their common dtype and, unless one is a scalar, of the same rank."""
    dtype, rank = common(a, b), max(jnp.ndim(a), jnp.ndim(b))
    first, second = (x if x.dtype == dtype else x.astype(dtype) for x in (a, b))
    if not a.ndim or not b.ndim:
        return first, second
    return lift(first, rank), lift(second, rank)


def add(a: Array, b: Array) -> Array:
    """Compute a + b of `aligned` operands."""
    a, b = aligned(a, b)
    return a + b


def multiply(a: Array, b: Array) -> Array:
    """Compute a * b of `aligned` operands."""
    a, b = aligned(a, b)
    return a * b


def matmul(a: Array, b: Array) -> Array:
    """Compute a @ b in the common dtype."""
    dtype = common(a, b)
    return a.astype(dtype) @ b.astype(dtype)


def divide(a: Array, b: Array) -> Array:
    """Compute a / b of `aligned` operands."""
    a, b = aligned(a, b)
    return a / b
