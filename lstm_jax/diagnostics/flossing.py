"""A loss that keeps Lyapunov exponents near 0, so gradients neither vanish nor explode."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import P, S, Step
from lstm_jax.diagnostics.lyapunov import log_growth
from lstm_jax.trees import Tree


def flossing(
    step: Step[P, S, Tree],
    params: P,
    xs: Tree,
    state: S,
    *,
    k: int,
    qr_every: int = 1,
    burn_in: int = 0,
    key: Array | None = None,
) -> Array:
    """Compute the loss of gradient flossing (Engelken 2023), differentiable in the parameters.

        L = λ_1² + ... + λ_k²,  λ_i = mean_t ln |R_t,ii|,  Q_t R_t = QR(J_t Q_{t-1})

    These are the exponents of `lyapunov_spectrum`. The gradient goes through the decompositions and
    through the trajectory itself, and memory grows as T · n · k. Adding the loss to that of a task,
    or minimizing it before training, pulls the k largest exponents of the full state to 0.

    Args:
        step, params, xs, state: one sequence, as in `lstm_jax.scan`. For a batch, take the mean of
            `jax.vmap` over xs and state.
        k: the number of exponents, from the largest on.
        qr_every, burn_in, key: as in `lyapunov_spectrum`.

    Returns:
        The loss, a scalar in the dtype of the state, float32 at least; infinite where a
        perturbation vanishes exactly.

    Raises:
        TypeError, ValueError: as `lyapunov_spectrum`.
    """
    logs = log_growth(
        step, params, xs, state,
        k=k, qr_every=qr_every, burn_in=burn_in, key=key, orthonormal=_orthonormal,
    )  # fmt: skip
    exponents = logs.mean(0) / qr_every
    return (exponents**2).sum()


def _orthonormal(block: Array) -> tuple[Array, Array]:
    """Decompose as `graded.orthonormal`, with loops of fixed length, which reverse mode needs.

    Gram-Schmidt twice is enough (Giraud et al. 2005) while the rows are independent.
    """

    def add_row(q: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        place, v = row
        first = q @ v
        v = v - first @ q
        again = q @ v
        v = v - again @ q
        size = jnp.sqrt(jnp.maximum((v * v).sum(), jnp.finfo(v.dtype).tiny))
        return q + jnp.outer(place, v / size), first + again + place * size

    places = jnp.eye(len(block), dtype=block.dtype)
    q, columns = jax.lax.scan(add_row, jnp.zeros_like(block), (places, block))
    return q, columns.T
