"""Singular values of a product of step Jacobians, ∂s_T/∂s_{T-lag}.

    P(lag) = J_T J_{T-1} ... J_{T-lag+1}        J_t = ∂s_t/∂s_{t-1}, over the whole state

Two methods compute the same numbers. "dense" carries a square of n vectors through the chain and
yields all n values at every lag. "matrix-free" carries a block of a few vectors forward and
backward: block power iteration with QR in logarithms, which sorts a steep spectrum at once, and
then, if the spectrum is too flat for that, a block Krylov space (Golub & Van Loan, section 10.4;
Musco & Musco 2015). Blocks are faster, because p products with one weight matrix are one matrix
product, while a single vector is bound by reading the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.cells import P, S, Step
from lstm_jax.diagnostics import graded
from lstm_jax.diagnostics.graded import Graded
from lstm_jax.diagnostics.krylov import POWER_SWEEPS, Pass, sorts, top_singular_values
from lstm_jax.diagnostics.linear import Chain, Index, check_lags, linearize, random_block
from lstm_jax.trees import Tree

Method = Literal["dense", "matrix-free"]

QR_EVERY = 10
OVERSAMPLE = 4
PROBES = 4
FEWEST_BLOCKS = 5
# The faster method for one lag (tests/benchmarks/spectra.py): dense up to the first n, matrix-free
# from the second; between them it depends on how steep the spectrum is.
DENSE_UP_TO, DENSE_NEVER_FROM = 48, 320

Apply = Callable[[Index, Array], Array]
Found = tuple[Array, Array, Array]
"""Singular values (L, k), Frobenius norms (L,) and condition numbers (L,), all as logarithms."""


class ProductSpectrum(NamedTuple):
    """Store the singular values of products of step Jacobians by lag, as natural logarithms.

    Attributes:
        lags: steps back from the last, (L,).
        log_singular_values: ln σ of P(lag), descending, (L, k).
        log_frobenius: ln ‖P(lag)‖_F, (L,); if matrix-free, ‖P‖_F² is an unbiased estimate.
        log_condition: ln σ_1/σ_n, (L,); NaN if matrix-free. See `qr_every`.

    If P(lag) is exactly zero, its norms are -inf and its condition number is NaN.
    """

    lags: Array
    log_singular_values: Array
    log_frobenius: Array
    log_condition: Array

    @property
    def log_spectral_norm(self) -> Array:
        """Return ln ‖P(lag)‖_2, (L,)."""
        return self.log_singular_values[:, 0]

    @property
    def stable_rank(self) -> Array:
        """Return ‖P‖_F² / ‖P‖_2², (L,), the effective number of directions; 0 if P is zero."""
        rank = jnp.exp(2 * (self.log_frobenius - self.log_spectral_norm))
        return jnp.where(jnp.isneginf(self.log_spectral_norm), 0, rank)


def product_spectrum(
    step: Step[P, S, Tree],
    params: P,
    xs: Tree,
    state: S,
    *,
    k: int = 8,
    lags: ArrayLike | Sequence[int] | None = None,
    method: Method | None = None,
    qr_every: int = QR_EVERY,
    key: Array | None = None,
) -> ProductSpectrum:
    """Compute the k largest singular values, the norms and the condition of ∂s_T/∂s_{T-lag}.

    All results are logarithms, so that they neither under- nor overflow at thousands of steps.
    Values within a factor ε^0.4 of the largest are as accurate as the arithmetic; smaller ones come
    from QR in logarithms (`graded.log_singular_values`).

    Args:
        step, params, xs, state: one sequence, as in `lstm_jax.scan`; use `jax.vmap` for a batch.
        k: number of values, at most n.
        lags: integers in [1, T]; about ten from 1 to T if None.
        method: "dense" takes about n³ operations a step and n² memory, and also computes the
            condition number; "matrix-free" takes n² k operations a step and lag. None chooses the
            faster for n, k and the lags, and looks at the steepness of the spectrum if it must.
        qr_every: steps between QR decompositions. A larger number is faster, but loses values that
            fall behind the first by more than ln(1/ε) / qr_every a step: 3.6 in float64, 1.6 in
            float32. The condition number of an LSTM may need 1.
        key: a `jax.random` key for the starting vectors, which affect only the rounding.

    Returns:
        `ProductSpectrum`, in the dtype of the state, float32 at least.

    Raises:
        TypeError, ValueError: if the method is unknown, k is outside [1, n], a lag is outside
            [1, T], or qr_every is below 1; and as in `lstm_jax.diagnostics.linear.check`.
    """
    chain = linearize(step, params, xs, state)
    back = check_lags(lags, chain.steps)
    if not 1 <= k <= chain.size:
        raise ValueError(f"k must lie in [1, n={chain.size}], got {k}")
    if method not in (None, "dense", "matrix-free"):
        raise ValueError(f'method must be None, "dense" or "matrix-free", got {method!r}')
    if qr_every < 1:
        raise ValueError(f"qr_every must be at least 1, got {qr_every}")
    key = jax.random.key(0) if key is None else key
    run = ROADS[method or choose(chain.size, k, back)]
    return ProductSpectrum(jnp.asarray(back), *run(chain, k, back, qr_every, key))


def choose(
    size: int, k: int, lags: tuple[int, ...]
) -> Literal["dense", "matrix-free", "by steepness"]:
    """Choose the method of `product_spectrum` for n, k and the lags.

    The dense method passes all lags in one sweep; the matrix-free method sweeps for each lag.

    Args:
        size: n.
        k: number of values.
        lags: steps back from the last.

    Returns:
        The method; "by steepness" decides between the two from the spectrum.
    """
    times = sum(set(lags)) / max(lags)
    room = FEWEST_BLOCKS * (k + OVERSAMPLE)
    if size <= max(DENSE_UP_TO * times, room):
        return "dense"
    return "by steepness" if size <= DENSE_NEVER_FROM * times else "matrix-free"


def _by_steepness(chain: Chain, k: int, lags: tuple[int, ...], qr_every: int, key: Array) -> Found:
    forward, backward = _passes(chain, chain.steps - max(lags), qr_every)
    _, scale = forward(backward(random_block(key, k + OVERSAMPLE, chain))[0])
    operands = chain, k, lags, qr_every, key
    return jax.lax.cond(
        sorts(scale, POWER_SWEEPS, k, chain.size),
        lambda: _matrix_free(*operands),
        lambda: _dense(*operands),
    )


# --- dense ---------------------------------------------------------------------------------------


def _dense(chain: Chain, k: int, lags: tuple[int, ...], qr_every: int, key: Array) -> Found:
    # One sweep backward from the end passes all lags: P(lag)ᵀ = J_{T-lag+1}ᵀ P(lag-1)ᵀ. The start
    # is random, so that no vector stays in an invariant subspace out of order.
    ends = sorted(set(lags))

    def further(carry: tuple[Array, Graded], bounds: Array) -> tuple[tuple[Array, Graded], Array]:
        first, last = bounds
        block, scale = _walk(chain.pull, *carry, first, last, qr_every, reverse=True)
        values = graded.log_singular_values(scale)
        return (block, scale), jnp.where(block.any(), values, -jnp.inf)

    start = random_block(key, chain.size, chain)
    bounds = chain.steps - jnp.array([ends, [0, *ends[:-1]]]).T
    unit = graded.identity(chain.size, start.dtype)
    _, by_end = jax.lax.scan(further, (start, unit), bounds)
    values = by_end[jnp.array([ends.index(lag) for lag in lags])]
    frobenius = jax.nn.logsumexp(2 * values, axis=-1) / 2
    return values[:, :k], frobenius, values[:, 0] - values[:, -1]


def _walk(
    apply: Apply,
    block: Array,
    scale: Graded,
    first: Index,
    last: Index,
    qr_every: int,
    *,
    reverse: bool,
) -> tuple[Array, Graded]:
    """Carry a block through the steps [first, last), and factor out its growth every few steps."""

    def walk(count):
        def body(i, carry):
            block, growth = carry
            block = apply(last - 1 - i if reverse else first + i, block)
            return graded.level(block, growth)

        def run(begin, carry):
            block, scale = carry
            no_growth = jnp.zeros_like(scale.logs)
            block, growth = jax.lax.fori_loop(begin, begin + count, body, (block, no_growth))
            return graded.absorb(block, graded.grow(scale, growth))

        return run

    whole, rest = divmod(last - first, qr_every)
    carry = walk(rest)(0, (block, scale))
    every = walk(qr_every)
    return jax.lax.fori_loop(0, whole, lambda i, c: every(rest + i * qr_every, c), carry)


# --- matrix-free ---------------------------------------------------------------------------------


def _matrix_free(chain: Chain, k: int, lags: tuple[int, ...], qr_every: int, key: Array) -> Found:
    # A Krylov space needs several blocks to converge; if n is too small, use the whole space.
    width = k + OVERSAMPLE
    width = width if chain.size >= FEWEST_BLOCKS * width else chain.size
    start = random_block(key, min(width + PROBES, chain.size), chain)

    def at_lag(first):
        return top_singular_values(*_passes(chain, first, qr_every), start, k, width)

    values, frobenius = jax.lax.map(at_lag, chain.steps - jnp.asarray(lags))
    return values, frobenius, jnp.full(len(lags), jnp.nan, values.dtype)


ROADS = {"dense": _dense, "matrix-free": _matrix_free, "by steepness": _by_steepness}


def _passes(chain: Chain, first: Index, qr_every: int) -> tuple[Pass, Pass]:
    """Return functions that apply the product of the steps from `first` on, and its transpose."""

    def through(apply: Apply, reverse: bool, block: Array) -> tuple[Array, Graded]:
        unit = graded.identity(block.shape[0], block.dtype)
        return _walk(apply, block, unit, first, chain.steps, qr_every, reverse=reverse)

    return partial(through, chain.push, False), partial(through, chain.pull, True)
