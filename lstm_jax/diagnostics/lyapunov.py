"""Is it chaotic, contracting, or on the edge? Finite-time Lyapunov exponents."""

from __future__ import annotations

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
    """Mean growth rates of perturbations along a trajectory, in nats a step.

    Attributes:
        exponents: λ_1 >= λ_2 >= ..., (k,): the last row of the curve.
        curve: the estimates of each of them after each QR decomposition that counts, (R, k): where
            it is still moving, T is too short.
        times: the steps after the burn-in that each row of the curve has seen, (R,).
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
    """Find the k largest finite-time Lyapunov exponents of the full state (Benettin et al. 1980).

        Q_0 random, Q_t R_t = QR(J_t Q_{t-1}), λ_i = mean_t ln |R_t,ii|

    λ_1 > 0 is chaos, < 0 contraction. Over h alone the figure would be wrong: an LSTM's cell
    state carries what h does not, and an exponent near 0 with it.

    Args:
        step, params, xs, state: one sequence, as in `lstm_jax.scan`. For a batch, and with it
            mean and spread over trajectories, `jax.vmap` this over xs and state.
        k: exponents wanted; all n if None.
        qr_every: steps between QR decompositions. More is faster, and loses the exponents that
            lie more than ln(1/ε) / qr_every below the first.
        burn_in: steps before the count begins, in which the trajectory settles and Q turns to
            the directions of growth. A multiple of `qr_every`.
        key: of the random directions to begin with.

    Returns:
        `LyapunovSpectrum`, in the dtype of the state, float32 at least; -inf where every
        perturbation is gone, exactly.

    Raises:
        TypeError, ValueError: see `lstm_jax.diagnostics.linear.check`; k, qr_every or burn_in out
            of range, or a T - burn_in that `qr_every` does not divide.
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
    block, _ = graded.orthonormal(gaussian.astype(vector.dtype))

    def advance(carry, x):
        vector, block, logs = carry
        vector, push = jax.linearize(lambda s: flat(step(params, unravel(s), x)), vector)
        return (vector, *graded.level(jax.vmap(push)(block), logs)), None

    def until_qr(carry, some):
        none = jnp.zeros(k, vector.dtype)
        (new, block, logs), _ = jax.lax.scan(advance, (*carry, none), some)
        block, r = graded.orthonormal(block)
        growth = jnp.abs(jnp.diagonal(r))
        logs += jnp.log(jnp.maximum(growth, jnp.finfo(growth.dtype).tiny))
        return (new, block), jnp.where(block.any(), logs, -jnp.inf)

    parts = jax.tree.map(
        lambda leaf: leaf.reshape(steps // qr_every, qr_every, *leaf.shape[1:]), xs
    )
    _, logs = jax.lax.scan(until_qr, (vector, block), parts)
    counted = logs[burn_in // qr_every :]
    times = qr_every * jnp.arange(1, len(counted) + 1)
    curve = divide(jnp.cumsum(counted, axis=0), times[:, None])
    # The columns of the QR are in the order of growth only after many steps.
    curve = curve[:, jnp.argsort(curve[-1], descending=True)]
    return LyapunovSpectrum(curve[-1], curve, times)
