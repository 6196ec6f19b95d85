"""Recomputation in chunks, so that the memory of a long recurrence grows as √T instead of T.

The reverse pass of a scan needs the intermediate values of every step. With chunks, only the states
between chunks are kept, and each chunk runs again when its gradient is computed (Chen et al. 2016).
This costs a second forward pass, and needs memory for T / chunk states and the values of one chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.trees import Tree

C = TypeVar("C")

Remat: TypeAlias = int | Literal["sqrt"] | None
"""Steps in a chunk, "sqrt" for about √T steps, or None for no recomputation."""


def in_chunks(
    run: Callable[[C, Tree], tuple[C, Tree]],
    carry: C,
    inputs: Tree,
    *,
    remat: Remat,
    reverse: bool = False,
) -> tuple[C, Tree]:
    """Run `run(carry, inputs) -> (carry, outputs)` over time in chunks that gradients recompute.

    Args:
        run: function of inputs with leaves (t, ...), for any t; it goes through them from the last
            to the first if `reverse`.
        carry: a pytree.
        inputs: leaves (T, ...).
        remat: steps in a chunk; "sqrt" for about √T; None for a single chunk.
        reverse: whether to run the chunks from the last to the first.

    Returns:
        The result of `run` over all inputs.

    Raises:
        ValueError: if remat is something else.
    """
    check(remat)
    steps = jax.tree.leaves(inputs)[0].shape[0]
    if remat is not None and not isinstance(steps, int):
        raise ValueError(f"remat={remat!r} needs a fixed number of steps, got the symbol {steps}")
    if remat is None:
        return run(carry, inputs)
    size = math.isqrt(max(steps - 1, 0)) + 1 if remat == "sqrt" else remat
    if size >= steps:
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
    """Raise a ValueError if remat is not None, "sqrt" or a positive integer."""
    number = isinstance(remat, int | np.integer) and not isinstance(remat, bool) and remat > 0
    if remat is not None and remat != "sqrt" and not number:
        raise ValueError(f'remat must be None, "sqrt" or a number of steps, got {remat!r}')
