"""What a product of steps does to a perturbation: the singular values of ∂s_T/∂s_{T-lag}.

    P(lag) = J_T J_{T-1} ... J_{T-lag+1}        J_t = ∂s_t/∂s_{t-1}, over the whole state

Two roads to the same numbers. "dense" carries a square of n vectors through the chain and gives
all n values at every lag. "matrix-free" carries a block of few vectors to and fro: block power
iteration with QR in logarithms, which sorts a steep spectrum at once, and after it, where the
spectrum is too flat for that, a block Krylov space (Golub & Van Loan, section 10.4; Musco & Musco
2015). A block, because p products with one weight matrix are one matrix product: one vector at a
time is bound by reading the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.diagnostics import graded
from lstm_jax.diagnostics.graded import Graded
from lstm_jax.diagnostics.linear import Chain, check_lags, linearize, random_block
from lstm_jax.recurrence import Step

Method = Literal["dense", "matrix-free"]

QR_EVERY = 10
OVERSAMPLE = 4
PROBES = 4
POWER_SWEEPS = 3
SETTLED = 0.7  # values stand when they are to change by less than ε^0.7 of themselves
KRYLOV_BLOCKS = 16
FEWEST_BLOCKS = 5
# The faster road for one lag (tests/benchmarks/spectra.py): dense up to the first n, matrix-free
# beyond the second; between them it depends on how steep the spectrum is.
DENSE_UP_TO, DENSE_NEVER_FROM = 48, 320

Pass = Callable[[Array], tuple[Array, Graded]]


class ProductSpectrum(NamedTuple):
    """Singular values of products of step Jacobians, in natural logarithms, by lag.

    Attributes:
        lags: steps back from the last, (L,).
        log_singular_values: ln σ of P(lag), descending, (L, k).
        log_frobenius: ln ‖P(lag)‖_F, (L,); an unbiased estimate of ‖P‖_F² if matrix-free.
        log_condition: ln σ_1/σ_n, (L,); not a number if matrix-free. See `qr_every`.
    """

    lags: Array
    log_singular_values: Array
    log_frobenius: Array
    log_condition: Array

    @property
    def log_spectral_norm(self) -> Array:
        """ln ‖P(lag)‖_2, (L,)."""
        return self.log_singular_values[:, 0]

    @property
    def stable_rank(self) -> Array:
        """‖P‖_F² / ‖P‖_2², (L,): how many directions still carry something."""
        return jnp.exp(2 * (self.log_frobenius - self.log_spectral_norm))


def product_spectrum(
    step: Step,
    params: Any,
    xs: Any,
    state: Any,
    *,
    k: int = 8,
    lags: Any = None,
    method: Method | None = None,
    qr_every: int = QR_EVERY,
    key: Array | None = None,
) -> ProductSpectrum:
    """The k largest singular values of ∂s_T/∂s_{T-lag}, and what else the spectrum tells.

    Logarithms throughout: nothing under- or overflows at thousands of steps. Values within a
    factor ε^0.4 of the largest are as accurate as the arithmetic; smaller ones come from QR
    in logarithms (`graded.log_singular_values`).

    Args:
        step, params, xs, state: one sequence, as in `lstm_jax.scan`; `jax.vmap` for a batch.
        k: values wanted, at most n.
        lags: integers in [1, T]; about ten from 1 to T if None.
        method: "dense" costs some n³ a step and n² memory, and gives the condition number too;
            "matrix-free" costs n² k a step and lag. None takes the faster for n, k and the lags;
            where that depends on how steep the spectrum is, it looks.
        qr_every: steps between QR decompositions. More is faster, and loses the values that lie
            more than ln(1/ε) / qr_every a step below the first: 3.6 in float64, 1.6 in float32.
            The condition number of an LSTM may well need 1.
        key: of the random starting vectors, on which the result does not depend but by rounding.

    Raises:
        TypeError, ValueError: an unknown method, k outside [1, n], lags outside [1, T], qr_every
            below 1, and what `lstm_jax.diagnostics.linear.check` says of the rest.
    """
    chain = linearize(step, params, xs, state)
    lags = check_lags(lags, chain.steps)
    if not 1 <= k <= chain.size:
        raise ValueError(f"k must lie in [1, n={chain.size}], got {k}")
    if method not in (None, "dense", "matrix-free"):
        raise ValueError(f'method must be None, "dense" or "matrix-free", got {method!r}')
    if qr_every < 1:
        raise ValueError(f"qr_every must be at least 1, got {qr_every}")
    key = jax.random.key(0) if key is None else key
    roads = {"dense": _dense, "matrix-free": _matrix_free, "by steepness": _by_steepness}
    run = roads[method or choose(chain.size, k, lags)]
    values, frobenius, condition = run(chain, k, lags, qr_every, key)
    return ProductSpectrum(jnp.asarray(lags), values, frobenius, condition)


def choose(
    size: int, k: int, lags: tuple[int, ...]
) -> Literal["dense", "matrix-free", "by steepness"]:
    """The road that `product_spectrum` takes for n, k and the lags.

    Dense, one sweep passes every lag; matrix-free, each has passes of its own.
    """
    times = sum(set(lags)) / max(lags)
    room = FEWEST_BLOCKS * (k + OVERSAMPLE)
    if size <= max(DENSE_UP_TO * times, room):
        return "dense"
    return "by steepness" if size <= DENSE_NEVER_FROM * times else "matrix-free"


def _by_steepness(chain: Chain, k: int, lags: tuple[int, ...], qr_every: int, key: Array):
    forward, backward = _passes(chain, chain.steps - max(lags), qr_every)
    _, scale = forward(backward(random_block(key, k + OVERSAMPLE, chain))[0])
    operands = chain, k, lags, qr_every, key
    return jax.lax.cond(
        _sorted(scale, POWER_SWEEPS, k, chain.size),
        lambda: _matrix_free(*operands),
        lambda: _dense(*operands),
    )


# --- dense ---------------------------------------------------------------------------------------


def _dense(chain: Chain, k: int, lags: tuple[int, ...], qr_every: int, key: Array):
    # Backwards from the end, one sweep passes every lag: P(lag)ᵀ = J_{T-lag+1}ᵀ P(lag-1)ᵀ. The
    # start is random so that no vector stays in an invariant subspace out of order.
    ends = sorted(set(lags))

    def further(carry, bounds):
        block, scale = _walk(chain.pull, *carry, *bounds, qr_every, reverse=True)
        return (block, scale), graded.log_singular_values(scale)

    start = random_block(key, chain.size, chain)
    bounds = chain.steps - jnp.array([ends, [0, *ends[:-1]]]).T
    unit = graded.identity(chain.size, start.dtype)
    _, found = jax.lax.scan(further, (start, unit), bounds)
    values = found[jnp.array([ends.index(lag) for lag in lags])]
    frobenius = jax.nn.logsumexp(2 * values, axis=-1) / 2
    return values[:, :k], frobenius, values[:, 0] - values[:, -1]


def _walk(apply, block, scale, first, last, qr_every, *, reverse: bool) -> tuple[Array, Graded]:
    """Carry a block through the steps [first, last), taking its growth out every few steps."""

    def some(count):
        def body(i, carry):
            block, growth = carry
            block = apply(last - 1 - i if reverse else first + i, block)
            return graded.level(block, growth)

        def run(begin, carry):
            block, scale = carry
            none = jnp.zeros_like(scale.logs)
            block, growth = jax.lax.fori_loop(begin, begin + count, body, (block, none))
            return graded.absorb(block, graded.grow(scale, growth))

        return run

    whole, rest = divmod(last - first, qr_every)
    carry = some(rest)(0, (block, scale))
    every = some(qr_every)
    return jax.lax.fori_loop(0, whole, lambda i, c: every(rest + i * qr_every, c), carry)


# --- matrix-free ---------------------------------------------------------------------------------


def _matrix_free(chain: Chain, k: int, lags: tuple[int, ...], qr_every: int, key: Array):
    # A Krylov space needs some blocks to converge in; where n has no room for them, take all of it.
    width = k + OVERSAMPLE
    width = width if chain.size >= FEWEST_BLOCKS * width else chain.size
    start = random_block(key, min(width + PROBES, chain.size), chain)

    def one(first):
        return top_singular_values(*_passes(chain, first, qr_every), start, k, width)

    values, frobenius = jax.lax.map(one, chain.steps - jnp.asarray(lags))
    return values, frobenius, jnp.full(len(lags), jnp.nan, values.dtype)


def _passes(chain: Chain, first: Any, qr_every: int) -> tuple[Pass, Pass]:
    """The product of the steps from `first` on, and its transpose."""

    def through(apply, reverse, block):
        unit = graded.identity(block.shape[0], block.dtype)
        return _walk(apply, block, unit, first, chain.steps, qr_every, reverse=reverse)

    return partial(through, chain.push, False), partial(through, chain.pull, True)


def top_singular_values(
    forward: Pass, backward: Pass, start: Array, k: int, width: int
) -> tuple[Array, Array]:
    """ln of the k largest singular values of a linear map A, and of its Frobenius norm.

    Args:
        forward: rows V (p, n) -> `(Q, graded)` with A Vᵀ = Qᵀ · graded.
        backward: the same of Aᵀ.
        start: random orthonormal rows to begin with, (m, n); those beyond `width` are for the
            Frobenius norm.
        k: values wanted.
        width: vectors to carry, p >= k.
    """
    size = start.shape[1]
    eps = jnp.finfo(start.dtype).eps
    rows, opening = backward(start)
    basis = rows[:width]
    left, scale = forward(basis)
    steep = partial(_sorted, k=k, size=size)

    def sweep(carry):
        count, left, _, _ = carry
        basis, _ = backward(left)
        left, scale = forward(basis)
        return count + 1, left, scale, basis

    def unsettled(carry):
        count, _, scale, _ = carry
        return ~steep(scale, count) & steep(scale, POWER_SWEEPS) & (count < POWER_SWEEPS)

    first = (jnp.int32(1), left, scale, basis)
    count, left, scale, basis = jax.lax.while_loop(unsettled, sweep, first)
    by_power = graded.log_singular_values(scale)
    top = scale.logs.max()

    blocks = min(KRYLOV_BLOCKS, size // width)
    bidiagonal = _open(basis, left, _small(scale, top), blocks)
    space, rows_of_small, by_krylov = jax.lax.cond(
        steep(scale, count) | (blocks == 1),
        lambda: (bidiagonal.right, bidiagonal.small, by_power[:k]),
        lambda: _krylov(forward, backward, bidiagonal, left, top, k, blocks),
    )
    # The Krylov values are right beside the largest one, the power iteration's far below it.
    floor = by_krylov[0] + 0.4 * jnp.log(eps)
    values = jnp.where(by_krylov > floor, by_krylov, by_power[:k])
    outside = _small(opening, top).T @ rows
    return values, _log_frobenius(space, rows_of_small, outside, width) + top


def _sorted(scale: Graded, sweeps: Any, k: int, size: int) -> Array:
    """Whether so many sweeps of the power iteration are enough, after the first.

    The random start is off by about √(n p); each pass brings it nearer by σ_p/σ_k, and the error
    of a value is the square of that.
    """
    logs = jnp.sort(scale.logs, descending=True)
    gained = (4 * sweeps - 2) * (logs[k - 1] - logs[-1])
    off = math.log(size * len(logs)) - SETTLED * jnp.log(jnp.finfo(logs.dtype).eps)
    return (gained > off) | (len(logs) == size)


class Bidiagonal(NamedTuple):
    """A Vᵀ = Uᵀ Bᵀ: orthonormal rows V `right` and U `left`, (m, n), and B `small`, (m, m).

    Block Golub-Kahan bidiagonalization, a block of p rows after the other; zeros beyond.
    """

    right: Array
    left: Array
    small: Array


def _krylov(forward, backward, bidiagonal, left, top, k, blocks):
    """Singular values over span{V, AᵀA V, (AᵀA)² V, ...}, until the first k stand."""
    width, eps = left.shape[0], jnp.finfo(left.dtype).eps
    tolerance = eps**SETTLED

    def extend(carry):
        count, (right_space, left_space, small), turned, left, values, before, _ = carry
        right, _ = backward(left)
        right, _, _ = _orthonormal_beside(right, right_space)
        left, scale = forward(right)
        left, parts, triangle = _orthonormal_beside(left, left_space)
        parts = jax.lax.dynamic_update_slice_in_dim(parts, triangle.T, count * width, 1)
        rows = _small(scale, top).T @ parts
        put = partial(jax.lax.dynamic_update_slice_in_dim, start_index=count * width, axis=0)
        turned = graded.orthogonal_rows(put(turned, rows))  # from where it was: few sweeps
        new = _norms(turned)[:k]
        beyond_rounding = jnp.abs(new - values) - 8 * eps * new[0]
        change = jnp.maximum(beyond_rounding / jnp.maximum(new, eps**0.4 * new[0]), 0).max()
        slower = jnp.maximum(before - change, jnp.maximum(change, tolerance))
        ahead = change * change / slower  # as a geometric series
        found = Bidiagonal(put(right_space, right), put(left_space, left), put(small, rows))
        return count + 1, found, turned, left, new, change, ahead

    def unsettled(carry):
        count, *_, ahead = carry
        return (count < blocks) & (ahead > tolerance)

    far = jnp.array(jnp.finfo(left.dtype).max, left.dtype)
    turned = graded.orthogonal_rows(bidiagonal.small)
    values = _norms(turned)[:k]
    start = (jnp.int32(1), bidiagonal, turned, left, values, jnp.zeros_like(far), far)
    _, (space, _, small), *_ = jax.lax.while_loop(unsettled, extend, start)
    values = jnp.linalg.svd(small, compute_uv=False)[:k]
    return space, small, jnp.log(jnp.maximum(values, jnp.finfo(values.dtype).tiny)) + top


def _open(right: Array, left: Array, small: Array, blocks: int) -> Bidiagonal:
    width, size = right.shape
    room = jnp.zeros((width * blocks, size), right.dtype)
    square = jnp.zeros((width * blocks, width * blocks), right.dtype)
    put = partial(jax.lax.dynamic_update_slice, start_indices=(0, 0))
    return Bidiagonal(put(room, right), put(room, left), put(square, small.T))


def _orthonormal_beside(block: Array, space: Array) -> tuple[Array, Array, Array]:
    """Rows orthonormal also to those of `space`: block = parts @ space + triangleᵀ @ rows."""
    parts = block @ space.T
    rows, triangle = graded.orthonormal(block - parts @ space)
    again = rows @ space.T  # once is not enough (Giraud et al. 2005)
    rows, more = graded.orthonormal(rows - again @ space)
    return rows, parts + triangle.T @ again, more @ triangle


def _small(scale: Graded, top: Array) -> Array:
    """e^(d - top) · R, (p, p)."""
    rows = jnp.exp(jnp.minimum(scale.logs - top + scale.lost, graded.LARGEST_EXPONENT))
    return rows[:, None] * scale.triangle


def _norms(rows: Array) -> Array:
    return jnp.sort(jnp.linalg.norm(rows, axis=1), descending=True)


def _log_frobenius(space: Array, small: Array, rest: Array, width: int) -> Array:
    """ln ‖A‖_F with ‖A‖_F² = ‖A S‖² + ‖A (I - SSᵀ)‖², the second from rows u A of a random start.

    S was made from the first of them, so these count as they are; the others are random in what
    the first leave of the n dimensions, and stand for all of it.
    """
    rest = ((rest - (rest @ space.T) @ space) ** 2).sum(-1)
    outside = rest[:width].sum()
    probes = len(rest) - width
    if probes:
        outside += rest[width:].sum() * (space.shape[1] - width) / probes
    return jnp.log((small**2).sum() + outside) / 2
