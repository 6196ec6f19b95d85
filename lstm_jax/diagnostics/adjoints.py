"""Adjoints dL/ds_t, which measure how much the loss depends on each past state."""

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
"""The usual fractions of an influence, by name."""


class Controls(TypedDict, total=False):
    """Describe the options that mask, reset or reverse a recurrence; see `lstm_jax.scan`."""

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
    """Compute the loss and its total derivative with respect to every state, dL/ds_0 ... dL/ds_T.

    Zeros ε_t are added to the state before the first step and after each step. One `jax.grad` with
    respect to all of them is dL/dh_t and dL/dc_t for all t at once. It includes both the direct
    effect of s_t on the loss and the effect through later steps.

    Args:
        step, params, xs, state: as in `lstm_jax.scan`, including batches.
        loss: function of the new states, a pytree like the state with leaves (T, ...), that returns
            a scalar; for example `lambda states: states.h[-1].sum()`.
        **controls: `initial`, `lengths`, `mask`, `resets`, `reverse` of `lstm_jax.scan`.

    Returns:
        `(loss, adjoints)`. The adjoints are a pytree like the state, leaves (T + 1, ...), in the
        order of the run (backward in time if `reverse`), so that the lag of entry t is T - t.
        Where the mask is False, there is no new state: the loss reads zeros there, as from `trace`,
        and the adjoint is 0.

    Raises:
        TypeError, ValueError: as in `lstm_jax.diagnostics.linear.check`, or if the loss is not a
            scalar.
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
    """Wrap a step so that it reads inputs `(x, epsilon)` and adds epsilon to the new state.

    Zeros change nothing, and the gradient with respect to them is dL/ds_t.

    Args:
        step: `(params, state, x) -> state`.

    Returns:
        `(params, state, (x, epsilon)) -> state`, where epsilon is a pytree like the state.
    """

    def run(params: P, state: S, inputs: tuple[X, S]) -> S:
        x, epsilon = inputs
        return jax.tree.map(jnp.add, step(params, state, x), epsilon)

    return run


def norms_by_lag(adjoints: S, *, per: Per = "batch") -> S:
    """Compute ‖dL/ds‖ of every leaf by lag; entry l belongs to the state l steps before the last.

    Args:
        adjoints: result of `adjoints`, leaves (T + 1, ..., H).
        per: "batch" for one norm over everything, (T + 1,); "sequence" for one norm per sequence,
            (T + 1, ...); "unit" for absolute values, (T + 1, ..., H).

    Returns:
        The same structure; norms are float32 at least.

    Raises:
        ValueError: if `per` is unknown.
    """
    if per not in ("batch", "sequence", "unit"):
        raise ValueError(f'per must be "batch", "sequence" or "unit", got {per!r}')

    def norm(leaf: Array) -> Array:
        leaf = leaf[::-1]
        if per == "unit":
            return jnp.abs(leaf)
        flat = leaf.reshape(len(leaf), math.prod(leaf.shape[1:])) if per == "batch" else leaf
        leaf = widened(flat)
        # Scale before squaring, because after some hundred lags the square underflows.
        peak = jnp.abs(leaf).max(-1, keepdims=True, initial=0)
        peak = jnp.where(peak > 0, peak, 1)
        return jnp.linalg.norm(leaf / peak, axis=-1) * peak[..., 0]

    return jax.tree.map(norm, adjoints)


def influence_lag(norms: Array | np.ndarray, fraction: float) -> Array:
    """Find the smallest lag from which the influence stays below a fraction of its initial value.

    The initial value is the one at lag 0, or at the first lag where it is positive; for example, a
    loss that reads only the last h does not depend on the last c.

    Args:
        norms: norms by lag, (T + 1,), from `norms_by_lag`.
        fraction: the fraction, such as 1/e or 0.01.

    Returns:
        An integer array (); T + 1 if the influence never stays below. In traced norms, NaN counts
        as not below.

    Raises:
        ValueError: if the fraction is outside (0, 1), or norms are NaN.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie in (0, 1), got {fraction}")
    refuse_nan("norms", norms)
    first = norms[jnp.argmax(norms > 0)]
    below = (norms <= 0) | (norms < fraction * first)
    return jnp.max(jnp.where(below, -1, jnp.arange(len(norms)))) + 1
