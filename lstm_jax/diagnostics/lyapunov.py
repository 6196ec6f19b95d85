"""Finite-time Lyapunov exponents, which tell chaotic from contracting dynamics."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from lstm_jax.cells import P, S, Step
from lstm_jax.diagnostics import graded
from lstm_jax.diagnostics.linear import check, flat, in_wide
from lstm_jax.promotion import divide
from lstm_jax.trees import Tree


class LyapunovSpectrum(NamedTuple):
    """Store the mean growth rates of perturbations along a trajectory, in nats per step.

    Attributes:
        exponents: λ_1 >= λ_2 >= ..., (k,), the last row of the curve.
        curve: their estimates after each QR decomposition since the burn-in, (R, k); if it is still
            moving, T is too short.
        times: number of steps since the burn-in for each row of the curve, (R,).
    """

    exponents: Array
    curve: Array
    times: Array


def lyapunov_spectrum(
    step: Step[P, S, Tree],
    params: P,
    xs: Tree,
    state: S,
    *,
    k: int | None = None,
    qr_every: int = 1,
    burn_in: int = 0,
    key: Array | None = None,
) -> LyapunovSpectrum:
    """Compute the k largest finite-time Lyapunov exponents of the full state.

        Q_0 random, Q_t R_t = QR(J_t Q_{t-1}), λ_i = mean_t ln |R_t,ii|

    The method is that of Benettin et al. (1980). λ_1 > 0 means chaos, λ_1 < 0 contraction. For h
    alone the result would be wrong, because the cell state of an LSTM carries perturbations that h
    does not, with an exponent near 0.

    Args:
        step, params, xs, state: one sequence, as in `lstm_jax.scan`. For a batch, with mean and
            spread over trajectories, `jax.vmap` this function over xs and state.
        k: number of exponents; all n if None.
        qr_every: steps between QR decompositions. A larger number is faster, but loses exponents
            that are more than ln(1/ε) / qr_every below the first.
        burn_in: steps to skip, in which the trajectory settles and Q turns to the directions of
            growth; a multiple of `qr_every`.
        key: a `jax.random` key for the initial directions.

    Returns:
        `LyapunovSpectrum`, in the dtype of the state, float32 at least; -inf if every perturbation
        becomes exactly zero.

    Raises:
        TypeError, ValueError: as in `lstm_jax.diagnostics.linear.check`; if k, qr_every or burn_in
            is out of range, or `qr_every` does not divide T - burn_in.
    """
    logs = log_growth(
        step, params, xs, state,
        k=k, qr_every=qr_every, burn_in=burn_in, key=key, orthonormal=graded.orthonormal,
    )  # fmt: skip
    times = qr_every * jnp.arange(1, len(logs) + 1)
    curve = divide(jnp.cumsum(logs, axis=0), times[:, None])
    # The columns of the QR are in the order of growth only after many steps.
    curve = curve[:, jnp.argsort(curve[-1], descending=True)]
    return LyapunovSpectrum(curve[-1], curve, times)


def log_growth(
    step: Step[P, S, Tree],
    params: P,
    xs: Tree,
    state: S,
    *,
    k: int | None,
    qr_every: int,
    burn_in: int,
    key: Array | None,
    orthonormal: Callable[[Array], tuple[Array, Array]],
) -> Array:
    """Compute ln |R_t,ii| of the QR decompositions along a trajectory.

    Args:
        step, params, xs, state, k, qr_every, burn_in, key: as in `lyapunov_spectrum`.
        orthonormal: the decomposition, as `lstm_jax.diagnostics.graded.orthonormal`.

    Returns:
        A row for each decomposition after the burn-in, (R, k).

    Raises:
        TypeError, ValueError: as `lyapunov_spectrum`.
    """
    steps = check(step, params, xs, state)
    step, params, xs, state = in_wide(step, params, xs, state)
    vector, unravel = ravel_pytree(state)
    size = vector.size
    k = size if k is None else k
    if not 1 <= k <= size:
        raise ValueError(f"k must lie in [1, n={size}], got {k}")
    if qr_every < 1 or not 0 <= burn_in < steps:
        raise ValueError(
            f"qr_every must be at least 1 and burn_in in [0, T={steps}), got {qr_every} and "
            f"{burn_in}"
        )
    if burn_in % qr_every or (steps - burn_in) % qr_every:
        raise ValueError(
            f"qr_every={qr_every} must divide burn_in={burn_in} and T - burn_in={steps - burn_in}"
        )
    gaussian = jax.random.normal(jax.random.key(0) if key is None else key, (k, size))
    block, _ = orthonormal(gaussian.astype(vector.dtype))

    def advance(carry, x):
        vector, block, logs = carry
        vector, push = jax.linearize(lambda s: flat(step(params, unravel(s), x)), vector)
        return (vector, *graded.level(jax.vmap(push)(block), logs)), None

    def until_qr(carry, xs):
        no_growth = jnp.zeros(k, vector.dtype)
        (new, block, logs), _ = jax.lax.scan(advance, (*carry, no_growth), xs)
        block, r = orthonormal(block)
        growth = jnp.abs(jnp.diagonal(r))
        logs += jnp.log(jnp.maximum(growth, jnp.finfo(growth.dtype).tiny))
        return (new, block), jnp.where(block.any(), logs, -jnp.inf)

    parts = jax.tree.map(
        lambda leaf: leaf.reshape(steps // qr_every, qr_every, *leaf.shape[1:]), xs
    )
    _, logs = jax.lax.scan(until_qr, (vector, block), parts)
    return logs[burn_in // qr_every :]
