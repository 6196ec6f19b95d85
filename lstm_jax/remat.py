"""Recomputation in chunks: memory of a long recurrence grows as √T instead of T.

The reverse pass of a scan keeps what every step computed. In chunks, only the states between them
are kept, and each chunk is run again when its gradient is wanted (Chen et al. 2016): two forward
passes for a memory of T / chunk states and one chunk's insides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

import jax
import jax.numpy as jnp

from lstm_jax.trees import Tree

C = TypeVar("C")

Remat: TypeAlias = int | Literal["sqrt"] | None
"""Steps in a chunk, "sqrt" for about √T of them, or None for no recomputation."""


def in_chunks(
    run: Callable[[C, Tree], tuple[C, Tree]],
    carry: C,
    inputs: Tree,
    *,
    remat: Remat,
    reverse: bool = False,
) -> tuple[C, Tree]:
    """Run `run(carry, inputs) -> (carry, outputs)` over time, in chunks run again for gradients.

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
    again: Callable[[C, Tree], tuple[C, Tree]] = jax.checkpoint(run, prevent_cse=False)
    rest_again: Callable[[C, Tree], tuple[C, Tree]] = jax.checkpoint(run)
    whole = steps // size * size
    head = jax.tree.map(
        lambda leaf: leaf[:whole].reshape(whole // size, size, *leaf.shape[1:]), inputs
    )
    rest = jax.tree.map(lambda leaf: leaf[whole:], inputs)

    def of_head(carry: C) -> tuple[C, Tree]:
        carry, outputs = jax.lax.scan(again, carry, head, reverse=reverse)
        return carry, jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), outputs)

    if whole == steps:
        return of_head(carry)
    if reverse:
        carry, after = rest_again(carry, rest)
        carry, before = of_head(carry)
    else:
        carry, before = of_head(carry)
        carry, after = rest_again(carry, rest)
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), before, after)


def check(remat: object) -> None:
    """Raise a ValueError for a remat that is not None, "sqrt" or a positive integer."""
    number = isinstance(remat, int) and not isinstance(remat, bool) and remat > 0
    if remat is not None and remat != "sqrt" and not number:
        raise ValueError(f'remat must be None, "sqrt" or steps in a chunk, got {remat!r}')
