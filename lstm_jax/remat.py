"""Recomputation in chunks: memory of a long recurrence grows as √T instead of T.

The reverse pass of a scan keeps what every step computed. In chunks, only the states between them
are kept, and each chunk is run again when its gradient is wanted (Chen et al. 2016): two forward
passes for a memory of T / chunk states and one chunk's insides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

Remat = int | Literal["sqrt"] | None
Run = Callable[[Any, Any], tuple[Any, Any]]


def in_chunks(
    run: Run, carry: Any, inputs: Any, *, remat: Remat, reverse: bool = False
) -> tuple[Any, Any]:
    """`run(carry, inputs) -> (carry, outputs)` over time, in chunks run again for gradients.

    Args:
        run: goes through leaves (t, ...) of its inputs, for any t; from the last to the first if
            `reverse`.
        carry: a pytree.
        inputs: leaves (T, ...).
        remat: steps in a chunk; "sqrt" for about √T; None runs everything at once.
        reverse: chunks from the last to the first.

    Returns:
        As `run` over all of the inputs.

    Raises:
        ValueError: remat that is none of these.
    """
    check(remat)
    steps = jax.tree.leaves(inputs)[0].shape[0]
    size = math.isqrt(max(steps - 1, 0)) + 1 if remat == "sqrt" else remat
    if size is None or size >= steps:
        return run(carry, inputs)
    again = jax.checkpoint(run, prevent_cse=False)
    whole = steps // size * size
    head = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, size, *leaf.shape[1:]), inputs)
    rest = jax.tree.map(lambda leaf: leaf[whole:], inputs)

    def of_head(carry):
        carry, outputs = jax.lax.scan(again, carry, head, reverse=reverse)
        return carry, jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), outputs)

    if whole == steps:
        return of_head(carry)
    if reverse:
        carry, after = jax.checkpoint(run)(carry, rest)
        carry, before = of_head(carry)
    else:
        carry, before = of_head(carry)
        carry, after = jax.checkpoint(run)(carry, rest)
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), before, after)


def check(remat: Any) -> None:
    """Raise a ValueError for a remat that is not None, "sqrt" or a positive integer."""
    number = isinstance(remat, int) and not isinstance(remat, bool) and remat > 0
    if remat is not None and remat != "sqrt" and not number:
        raise ValueError(f'remat must be None, "sqrt" or steps in a chunk, got {remat!r}')
