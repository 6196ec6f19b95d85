"""Fixed and slow points of a recurrence with constant input, and its linearization there.

A state with F(s) = s is a fixed point, and a state with small q(s) = ½‖F(s) - s‖² is a slow point.
The eigenvalues of ∂F/∂s there show what the network does nearby (Sussillo & Barak 2013).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from lstm_jax.cells import P, S, Step, X
from lstm_jax.diagnostics.linear import check, flat, in_wide


class FixedPoints(NamedTuple, Generic[S]):
    """Store the points at which a search from N states ended.

    Attributes:
        states: a pytree like the state, leaves (N, ...).
        speeds: ‖F(s) - s‖, (N,): 0 up to rounding at a fixed point, small at a slow point.
        eigenvalues: eigenvalues of ∂F/∂s, complex (N, n), largest modulus first. A direction decays
            if its eigenvalue is inside the unit circle, and grows if it is outside.
    """

    states: S
    speeds: Array
    eigenvalues: Array

    @property
    def stable(self) -> Array:
        """Return whether every eigenvalue lies inside the unit circle, (N,)."""
        return (jnp.abs(self.eigenvalues) < 1).all(-1)

    @property
    def unstable(self) -> Array:
        """Return the number of directions that grow, (N,): 0 at a stable point, k at a saddle."""
        return (jnp.abs(self.eigenvalues) > 1).sum(-1)


def fixed_points(
    step: Step[P, S, X],
    params: P,
    x: X,
    states: S,
    *,
    iterations: int = 100,
    tolerance: float = 0.0,
) -> FixedPoints[S]:
    """Search for fixed and slow points from N states by damped least squares.

    The method is Levenberg-Marquardt on F(s) - s with the dense Jacobian. It converges
    quadratically near a fixed point, stable or not, and descends q to a slow point if there is no
    fixed point. An iteration costs n³.

    Args:
        step, params: as in `lstm_jax.scan`.
        x: the constant input, (D,) or any input of `step`.
        states: starting points, a pytree like the state with leaves (N, ...), such as states that
            the network visits.
        iterations: maximum number of iterations; converged points do not move.
        tolerance: speed ‖F(s) - s‖ at which a point counts as converged; the search ends when all
            points have converged.

    Returns:
        `FixedPoints`, one for each starting point, in order, float32 at least.

    Raises:
        TypeError, ValueError: as in `lstm_jax.diagnostics.linear.check`.
    """
    constant = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], x)
    check(jax.vmap(step, (None, 0, None)), params, constant, states)
    step, params, x, states = in_wide(step, params, x, states)
    _, unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], states))
    vectors = jax.vmap(flat)(states)

    def move(vector):
        return flat(step(params, unravel(vector), x))

    search = partial(_levenberg_marquardt, lambda v: move(v) - v, iterations, tolerance)
    points = jax.vmap(search)(vectors)
    speeds = jnp.linalg.norm(jax.vmap(move)(points) - points, axis=-1)
    eigenvalues = jnp.linalg.eigvals(jax.vmap(jax.jacfwd(move))(points))
    order = jnp.argsort(jnp.abs(eigenvalues), axis=-1, descending=True)
    return FixedPoints(
        jax.vmap(unravel)(points), speeds, jnp.take_along_axis(eigenvalues, order, axis=-1)
    )


def distinct(points: FixedPoints, *, tolerance: float = 1e-3) -> list[int]:
    """Select points that are further apart than a tolerance, the slowest of each cluster.

    Args:
        points: result of `fixed_points`.
        tolerance: Euclidean distance between states.

    Returns:
        Their indices, the slowest first.
    """
    vectors = np.asarray(jax.vmap(flat)(points.states))
    kept: list[int] = []
    for index in map(int, np.argsort(np.asarray(points.speeds), kind="stable")):
        if (np.linalg.norm(vectors[kept] - vectors[index], axis=-1) > tolerance).all():
            kept.append(index)
    return kept


def _levenberg_marquardt(
    residual: Callable[[Array], Array], iterations: int, tolerance: float, start: Array
) -> Array:
    eye = jnp.eye(start.size, dtype=start.dtype)

    def unsettled(carry):
        count, _, value, _ = carry
        return (count < iterations) & ((value**2).sum() > tolerance**2)

    def improve(carry):
        count, vector, value, damping = carry
        jacobian = jax.jacfwd(residual)(vector)
        gradient = jacobian.T @ value
        change = jnp.linalg.solve(jacobian.T @ jacobian + damping * eye, gradient)
        candidate = vector - change
        moved = residual(candidate)
        better = (moved**2).sum() < (value**2).sum()
        damping = jnp.clip(jnp.where(better, damping / 5, damping * 4), 1e-12, 1e6)
        kept = jnp.where(better, candidate, vector), jnp.where(better, moved, value)
        return count + 1, *kept, damping

    begin = jnp.int32(0), start, residual(start), jnp.array(1e-2, start.dtype)
    return jax.lax.while_loop(unsettled, improve, begin)[1]
