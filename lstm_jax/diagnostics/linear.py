"""A recurrence as a chain of linear maps: the Jacobians J_t = ∂s_t/∂s_{t-1}, without forming them.

The state is any pytree of floats. Here it is one vector s of n numbers, its leaves raveled in order
(h before c, layer after layer). Blocks of p vectors are (p, n), one per row, so that p products
with a weight matrix are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike

from lstm_jax.cells import P, S, Step, X
from lstm_jax.recurrence import scan
from lstm_jax.trees import Tree, widened

Index = int | Array
"""The index of a step, traced or not."""


class Chain(NamedTuple):
    """Describe T linear maps of n numbers: `push(t, V)` is V J_{t+1}ᵀ, `pull(t, U)` is U J_{t+1}.

    Attributes:
        push, pull: `(t, block (p, n)) -> (p, n)`, with t in [0, T).
        steps: T.
        size: n.
        states: the states as vectors, (T + 1, n), starting with the state before any step.
    """

    push: Callable[[Index, Array], Array]
    pull: Callable[[Index, Array], Array]
    steps: int
    size: int
    states: Array


def linearize(step: Step[P, S, Tree], params: P, xs: Tree, state: S) -> Chain:
    """Run the recurrence once and keep its linearizations, in memory of T · n rather than T · n².

    The parts that all linearizations share, such as the weights, are stored once.

    Args:
        step: `(params, state, x) -> new_state`.
        params: passed to `step`.
        xs: inputs of one sequence, leaves (T, ...).
        state: its initial state; for a batch, use `jax.vmap`.

    Returns:
        The Jacobians as functions of blocks, in the dtype of the state, float32 at least; see
        `in_wide`.

    Raises:
        TypeError, ValueError: as in `check`.
    """
    steps = check(step, params, xs, state)
    step, params, xs, state = in_wide(step, params, xs, state)
    vector, unravel = ravel_pytree(state)
    structure = None

    def open_step(vector, x):
        nonlocal structure
        new, push = jax.linearize(lambda s: flat(step(params, unravel(s), x)), vector)
        leaves, structure = jax.tree.flatten(push)
        return new, leaves

    def body(vector, x):
        new, leaves = open_step(vector, x)
        return new, (vector, [leaf for leaf, v in zip(leaves, varies, strict=True) if v])

    # Trace even under jax.disable_jit, where a linearization of numbers would store other arrays.
    with jax.disable_jit(False):
        first = jax.tree.map(lambda leaf: leaf[0], xs)
        varies = _varying(open_step, vector, first)
        shared = open_step(vector, first)[1]
        final, (before, kept) = jax.lax.scan(body, vector, xs)

    def push(t, block):
        at_t = iter([jax.lax.dynamic_index_in_dim(leaf, t, keepdims=False) for leaf in kept])
        leaves = [next(at_t) if v else leaf for leaf, v in zip(shared, varies, strict=True)]
        return jax.vmap(jax.tree.unflatten(structure, leaves))(block)

    def pull(t, block):
        [pulled] = jax.linear_transpose(lambda b: push(t, b), block)(block)
        return pulled

    return Chain(push, pull, steps, vector.size, jnp.concatenate([before, final[None]]))


def check(step: Step[P, S, Tree], params: P, xs: Tree, state: S) -> int:
    """Check the arguments of a recurrence to differentiate, and count its steps.

    Under `jax.jit`, where values are not known, only shapes and dtypes are checked.

    Args:
        step, params, xs, state: as in `lstm_jax.scan`, including batches.

    Returns:
        T.

    Raises:
        TypeError: if the state is not a pytree of floats, or the step changes its structure, shapes
            or dtypes.
        ValueError: if there are no time steps, the leaves of xs disagree on T, or the parameters,
            inputs or state are not finite.
    """
    leaves = jax.tree_util.tree_leaves_with_path(state)
    if not leaves:
        raise TypeError("the state has no arrays; expected a pytree of floats")
    for path, leaf in leaves:
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"state{jax.tree_util.keystr(path)} is {jnp.result_type(leaf)}; a state to "
                "differentiate must be a pytree of floats"
            )
    sizes = {jnp.shape(leaf)[0] if jnp.ndim(leaf) else None for leaf in jax.tree.leaves(xs)}
    steps = next(iter(sizes), None)
    if len(sizes) != 1 or steps is None:
        raise ValueError(f"xs must be leaves with one leading axis T, got {sizes or 'none'}")
    if not steps:
        raise ValueError("xs has no time steps (T=0), so there is nothing to differentiate")
    for name, tree in (("params", params), ("xs", xs), ("state", state)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            known = not isinstance(leaf, Tracer)
            floats = jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
            if known and floats and not np.isfinite(np.asarray(leaf, np.float64)).all():
                raise ValueError(
                    f"{name}{jax.tree_util.keystr(path)} must be finite, but has NaN or infinity"
                )
    jax.eval_shape(partial(scan, step, emit=None), params, xs, state)
    return steps


def in_wide(step: Step[P, S, X], params: P, xs: X, state: S) -> tuple[Step[P, S, X], P, X, S]:
    """Convert a recurrence in bfloat16 or float16 to float32; others are not changed.

    Decompositions are not defined for narrower floats, and a product of Jacobians rounded to eight
    bits mainly shows the rounding. Rounding inside the step remains.

    Args:
        step, params, xs, state: as in `lstm_jax.scan`.

    Returns:
        The four, with floats in float32 at least.
    """

    def wide_step(params: P, state: S, x: X) -> S:
        return widened(step(params, state, x))

    narrow = params, xs, state
    wide = widened(narrow)
    dtypes = [[jnp.result_type(leaf) for leaf in jax.tree.leaves(tree)] for tree in (narrow, wide)]
    return step if dtypes[0] == dtypes[1] else wide_step, *wide


def refuse_nan(name: str, values: ArrayLike) -> None:
    """Check that values are not NaN, which an integer result could not express.

    Traced values are not checked.

    Args:
        name: name of the values, in the plural.
        values: any shape.

    Raises:
        ValueError: if a value is NaN.
    """
    if not isinstance(values, Tracer) and np.isnan(np.asarray(values, np.float64)).any():
        raise ValueError(f"{name} must not be NaN; find the step that computes NaN first")


def check_lags(lags: ArrayLike | Sequence[int] | None, steps: int) -> tuple[int, ...]:
    """Return lags as a tuple, or a grid of about ten lags from 1 to T if None.

    Args:
        lags: integers.
        steps: T.

    Returns:
        The lags in their order.

    Raises:
        ValueError: if there are no lags, or a lag is outside [1, T].
    """
    if lags is None:
        grid = np.unique(np.geomspace(1, steps, 10).round().astype(int))
        return tuple(int(lag) for lag in grid)
    chosen = tuple(int(lag) for lag in np.atleast_1d(np.asarray(lags)))
    if not chosen:
        raise ValueError("there are no lags")
    if min(chosen) < 1 or max(chosen) > steps:
        raise ValueError(f"lags must lie in [1, T={steps}], got {min(chosen)} to {max(chosen)}")
    return chosen


def dense_jacobians(chain: Chain) -> Array:
    """Compute every J_t as a matrix; memory is T · n².

    Args:
        chain: a chain of T steps.

    Returns:
        (T, n, n); rows are the new state, columns the old one.
    """
    eye = jnp.eye(chain.size, dtype=chain.states.dtype)
    return jax.lax.map(lambda t: chain.push(t, eye).T, jnp.arange(chain.steps))


def random_block(key: Array, count: int, chain: Chain) -> Array:
    """Draw random orthonormal rows in the dtype of a chain.

    Args:
        key: a `jax.random` key.
        count: number of rows, at most n.
        chain: a chain of states of n numbers.

    Returns:
        (count, n).
    """
    gaussian = jax.random.normal(key, (chain.size, count), chain.states.dtype)
    return jnp.linalg.qr(gaussian)[0].T


def flat(state: Tree) -> Array:
    """Return a state as one vector, (n,), with its leaves raveled in order."""
    return ravel_pytree(state)[0]


def _varying(function: Callable[..., object], *arguments: Tree) -> list[bool]:
    """Return which outputs after the first depend on the arguments, by following the jaxpr."""
    jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    dependent = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(v in dependent for v in equation.invars if not hasattr(v, "val")):
            dependent.update(equation.outvars)
    return [not hasattr(v, "val") and v in dependent for v in jaxpr.outvars[1:]]
