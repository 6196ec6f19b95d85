"""What NumPy does by itself to operands of different ranks and dtypes, said in so many words.

JAX can be told to refuse what is not said, by `jax_numpy_rank_promotion="raise"` and
`jax_numpy_dtype_promotion="strict"`. Where operands differ on purpose, as a float32 c beside a
bfloat16 h, they meet here; what is compiled is the same.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike


def lift(array: Array, rank: int) -> Array:
    """Give an array leading axes of 1 up to a rank."""
    return jax.lax.broadcast(array, (1,) * (rank - array.ndim)) if array.ndim < rank else array


def common(*arrays: ArrayLike | DTypeLike) -> jnp.dtype:
    """Give the dtype that arrays and dtypes promote to."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*arrays)


def float32_at_least(dtype: DTypeLike) -> jnp.dtype:
    """Give the dtype, or float32 where it is narrower."""
    return common(dtype, jnp.float32)


def aligned(a: Array, b: Array) -> tuple[Array, Array]:
    """Give two arrays in their common dtype and of the rank of the larger, scalars left scalars."""
    dtype, rank = common(a, b), max(jnp.ndim(a), jnp.ndim(b))
    first, second = (x if x.dtype == dtype else x.astype(dtype) for x in (a, b))
    if not a.ndim or not b.ndim:
        return first, second
    return lift(first, rank), lift(second, rank)


def add(a: Array, b: Array) -> Array:
    """Give a + b of `aligned` operands."""
    a, b = aligned(a, b)
    return a + b


def multiply(a: Array, b: Array) -> Array:
    """Give a * b of `aligned` operands."""
    a, b = aligned(a, b)
    return a * b


def matmul(a: Array, b: Array) -> Array:
    """Give a @ b in the common dtype."""
    dtype = common(a, b)
    return a.astype(dtype) @ b.astype(dtype)


def divide(a: Array, b: Array) -> Array:
    """Give a / b of `aligned` operands."""
    a, b = aligned(a, b)
    return a / b
