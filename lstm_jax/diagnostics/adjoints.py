"""How much does the loss feel each past state? Adjoints dL/ds_t, by one reverse pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.cells import P, S, Step, X
from lstm_jax.diagnostics.linear import check, refuse_nan
from lstm_jax.recurrence import trace
from lstm_jax.spelling import named_options
from lstm_jax.trees import Tree, widened

Per = Literal["batch", "sequence", "unit"]

FRACTIONS = {"1/e": float(np.exp(-1)), "1 %": 0.01}
"""Of an influence: those that are asked for most, by their names."""


class Controls(TypedDict, total=False):
    """Where a recurrence runs and where it begins anew: what `lstm_jax.scan` says of each."""

    initial: Tree
    lengths: ArrayLike | None
    mask: ArrayLike | None
    resets: ArrayLike | None
    reverse: bool


@named_options(Controls)
def adjoints(
    step: Step[P, S, Tree],
    params: P,
    xs: Tree,
    state: S,
    loss: Callable[[S], Array],
    **controls: Unpack[Controls],
) -> tuple[Array, S]:
    """Find the loss, and its total derivative with respect to every state, dL/ds_0 ... dL/ds_T.

    Zeros ε_t are added to the state before the first step and after each: one `jax.grad` with
    respect to all of them is dL/dh_t and dL/dc_t for all t at once. What reaches the loss from
    s_t directly counts, and what reaches it through the steps after.

    Args:
        step, params, xs, state: as in `lstm_jax.scan`, batches too.
        loss: of the new states, a pytree as the state with leaves (T, ...), to a scalar; such as
            `lambda states: states.h[-1].sum()`.
        **controls: `initial`, `lengths`, `mask`, `resets`, `reverse` of `lstm_jax.scan`.

    Returns:
        `(loss, adjoints)`; the adjoints are a pytree as the state, leaves (T + 1, ...), in the
        order of the run, backwards in time if `reverse`: the lag of entry t is T - t. Where the
        mask is False no step makes a new state: the loss sees zeros there, as from `trace`, and
        the adjoint is 0.

    Raises:
        TypeError, ValueError: see `lstm_jax.diagnostics.linear.check`; a loss that is no scalar.
    """
    steps = check(step, params, xs, state)

    def perturbed_loss(first: S, after: S) -> Array:
        start = jax.tree.map(jnp.add, state, first)
        _, kept = trace(perturbed(step), params, (xs, after), start, **controls)
        value = loss(kept.states)
        if jnp.shape(value) != ():
            raise ValueError(f"the loss must be a scalar, got shape {jnp.shape(value)}")
        return value

    first = jax.tree.map(jnp.zeros_like, state)
    after = jax.tree.map(lambda leaf: jnp.zeros((steps, *leaf.shape), leaf.dtype), first)
    value, (before, later) = jax.value_and_grad(perturbed_loss, (0, 1))(first, after)
    if controls.get("reverse"):
        later = jax.tree.map(lambda leaf: leaf[::-1], later)
    return value, jax.tree.map(lambda b, a: jnp.concatenate([b[None], a]), before, later)


def perturbed(step: Step[P, S, X]) -> Step[P, S, tuple[X, S]]:
    """Make a step over inputs `(x, epsilon)`, which adds epsilon to the new state.

    Zeros change nothing, and the gradient with respect to them is dL/ds_t.

    Args:
        step: `(params, state, x) -> state`.

    Returns:
        `(params, state, (x, epsilon)) -> state`, epsilon a pytree as the state.
    """

    def run(params: P, state: S, inputs: tuple[X, S]) -> S:
        x, epsilon = inputs
        return jax.tree.map(jnp.add, step(params, state, x), epsilon)

    return run


def norms_by_lag(adjoints: S, *, per: Per = "batch") -> S:
    """Give ‖dL/ds‖ of every leaf, by lag: entry l is of the state l steps before the last.

    Args:
        adjoints: as `adjoints` returns them, leaves (T + 1, ..., H).
        per: "batch" is one norm over everything, (T + 1,); "sequence" one for each sequence,
            (T + 1, ...); "unit" the absolute values themselves, (T + 1, ..., H).

    Returns:
        The same structure; norms are float32 at least.

    Raises:
        ValueError: for another `per`.
    """
    if per not in ("batch", "sequence", "unit"):
        raise ValueError(f'per must be "batch", "sequence" or "unit", got {per!r}')

    def norm(leaf: Array) -> Array:
        leaf = leaf[::-1]
        if per == "unit":
            return jnp.abs(leaf)
        flat = leaf.reshape(len(leaf), math.prod(leaf.shape[1:])) if per == "batch" else leaf
        leaf = widened(flat)
        # Scaled before it is squared: after some hundred lags an adjoint's square is no float.
        peak = jnp.abs(leaf).max(-1, keepdims=True, initial=0)
        peak = jnp.where(peak > 0, peak, 1)
        return jnp.linalg.norm(leaf / peak, axis=-1) * peak[..., 0]

    return jax.tree.map(norm, adjoints)


def influence_lag(norms: Array | np.ndarray, fraction: float) -> Array:
    """Find the smallest lag from which the influence stays below a fraction of that at first.

    At first is at lag 0; for a state that the loss does not feel there, such as the c of a last
    step of which only h is read, at the first lag where it does.

    Args:
        norms: by lag, (T + 1,), as `norms_by_lag` gives them.
        fraction: such as 1/e or 0.01.

    Returns:
        An integer array (): T + 1 where it never stays below. Where norms are traced, a NaN is
        below nothing.

    Raises:
        ValueError: for a fraction outside (0, 1), or norms that are NaN.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie in (0, 1), got {fraction}")
    refuse_nan("norms", norms)
    first = norms[jnp.argmax(norms > 0)]
    below = (norms <= 0) | (norms < fraction * first)
    return jnp.max(jnp.where(below, -1, jnp.arange(len(norms)))) + 1
