"""Dropout as a function of a key: no key, no dropout; the same key, the same mask."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array


def dropout(key: Array | None, xs: Array, rate: float, *, shared_axes: Sequence[int] = ()) -> Array:
    """Zero each element with probability `rate` and scale the rest by 1 / (1 - rate).

    Args:
        key: a key of `jax.random`; None returns `xs` as it is.
        xs: any shape.
        rate: in [0, 1).
        shared_axes: axes along which one draw is used. Sharing time gives the variational
            dropout of Gal & Ghahramani (2016).

    Raises:
        ValueError: for a rate outside [0, 1).
    """
    check_rate("rate", rate)
    if key is None or rate == 0:
        return xs
    shape = list(xs.shape)
    for axis in shared_axes:
        shape[axis] = 1
    keep = jax.random.bernoulli(key, 1 - rate, tuple(shape))
    return jnp.where(keep, xs / (1 - rate), jnp.zeros_like(xs))


def check_rate(name: str, rate: float) -> None:
    """Raise a ValueError that names a dropout rate outside [0, 1)."""
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {rate}")
