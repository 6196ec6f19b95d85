"""Jacobians of single steps, J_t = ∂s_t/∂s_{t-1} over the whole state, and their norms."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.cells import P, S, Step
from lstm_jax.diagnostics import graded
from lstm_jax.diagnostics.krylov import top_singular_values
from lstm_jax.diagnostics.linear import Index, dense_jacobians, linearize, random_block
from lstm_jax.diagnostics.products import DENSE_UP_TO, OVERSAMPLE, Apply
from lstm_jax.trees import Tree, widened


class StepNorms(NamedTuple):
    """Store `log_spectral` and `log_frobenius`: ln ‖J_t‖_2 and ln ‖J_t‖_F of each step, (T,)."""

    log_spectral: Array
    log_frobenius: Array


def step_jacobians(step: Step[P, S, Tree], params: P, xs: Tree, state: S) -> Array:
    """Compute every J_t as a dense matrix; rows are the new state, columns the old one.

    The state is raveled leaf after leaf: h before c, layer after layer. Memory is T · n².

    Args:
        step, params, xs, state: one sequence, as in `lstm_jax.scan`; use `jax.vmap` for a batch.

    Returns:
        (T, n, n).

    Raises:
        TypeError, ValueError: as in `lstm_jax.diagnostics.linear.check`.
    """
    return dense_jacobians(linearize(step, params, xs, state))


def step_norms(
    step: Step[P, S, Tree], params: P, xs: Tree, state: S, *, key: Array | None = None
) -> StepNorms:
    """Compute the norms of each step's Jacobian, by exact SVDs only if the state is small.

    Spectral norms below 1 at every step are sufficient for gradients to vanish. Norms above 1 are
    only necessary for them to explode; see `log_bound`.

    Args:
        step, params, xs, state: one sequence, as in `lstm_jax.scan`; use `jax.vmap` for a batch.
        key: a `jax.random` key for the starting vectors of the matrix-free method.

    Returns:
        `StepNorms`.

    Raises:
        TypeError, ValueError: as in `lstm_jax.diagnostics.linear.check`.
    """
    chain = linearize(step, params, xs, state)
    times = jnp.arange(chain.steps)
    if chain.size <= DENSE_UP_TO:
        values = jnp.linalg.svd(dense_jacobians(chain), compute_uv=False)
        return StepNorms(jnp.log(values[:, 0]), jnp.log((values**2).sum(-1)) / 2)
    width = 2 * OVERSAMPLE
    start = random_block(jax.random.key(0) if key is None else key, 2 * width, chain)

    def through(apply: Apply, t: Index, block: Array) -> tuple[Array, graded.Graded]:
        return graded.absorb(apply(t, block), graded.identity(block.shape[0], block.dtype))

    def norms(t):
        forward, backward = partial(through, chain.push, t), partial(through, chain.pull, t)
        values, frobenius = top_singular_values(forward, backward, start, 1, width)
        return values[0], frobenius

    return StepNorms(*jax.lax.map(norms, times))


def log_bound(log_norms: Array) -> Array:
    """Compute ln of the bound ∏ ‖J_t‖ on ‖∂s_T/∂s_{T-lag}‖, by lag.

    The bound can be far from the norm: an LSTM can have a bound of 1e46 when the norm of the
    product is 679. Compare with `product_spectrum`.

    Args:
        log_norms: ln ‖J_t‖ of each step, (T,).

    Returns:
        (T + 1,), 0 at lag 0.
    """
    log_norms = widened(log_norms)
    return jnp.concatenate([jnp.zeros_like(log_norms[:1]), jnp.cumsum(log_norms[::-1])])
