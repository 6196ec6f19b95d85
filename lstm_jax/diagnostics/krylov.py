"""The largest singular values of a linear map that can only be applied to blocks of vectors.

Block power iteration sorts a steep spectrum at once. If the spectrum is too flat for that, a block
Krylov space follows (Golub & Van Loan, section 10.4; Musco & Musco 2015). Growth is stored in
logarithms, see `lstm_jax.diagnostics.graded`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lstm_jax.diagnostics import graded
from lstm_jax.diagnostics.graded import Graded
from lstm_jax.diagnostics.linear import Index
from lstm_jax.promotion import multiply

POWER_SWEEPS = 3
SETTLED = 0.7  # values have converged when their expected change is below ε^0.7, relative
KRYLOV_BLOCKS = 16

Pass = Callable[[Array], tuple[Array, Graded]]


def top_singular_values(
    forward: Pass, backward: Pass, start: Array, k: int, width: int
) -> tuple[Array, Array]:
    """Compute ln of the k largest singular values of a linear map A, and of its Frobenius norm.

    Args:
        forward: rows V (p, n) -> `(Q, graded)` with A Vᵀ = Qᵀ · graded.
        backward: the same for Aᵀ.
        start: random orthonormal rows, (m, n); those beyond `width` are for the Frobenius norm.
        k: number of values.
        width: number of vectors, p >= k.

    Returns:
        (k,), descending, and (); -inf if A is exactly zero.
    """
    size = start.shape[1]
    eps = jnp.finfo(start.dtype).eps
    rows, opening = backward(start)
    basis = rows[:width]
    left, scale = forward(basis)
    steep = partial(sorts, k=k, size=size)

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
    # Krylov values are accurate near the largest value, those of the power iteration far below it.
    floor = by_krylov[0] + 0.4 * jnp.log(eps)
    values = jnp.where(by_krylov > floor, by_krylov, by_power[:k])
    outside = _small(opening, top).T @ rows
    frobenius = _log_frobenius(space, rows_of_small, outside, width) + top
    # Random directions all vanish only if A is exactly zero.
    nonzero = rows.any()
    return jnp.where(nonzero, values, -jnp.inf), jnp.where(nonzero, frobenius, -jnp.inf)


def sorts(scale: Graded, sweeps: Index, k: int, size: int) -> Array:
    """Return whether the given number of sweeps of the power iteration is enough, after the first.

    The error of the random start is about √(n p), each pass reduces it by σ_p/σ_k, and the error
    of a value is its square.

    Args:
        scale: growth of p vectors after a forward and a backward pass.
        sweeps: number of sweeps, each a forward and a backward pass.
        k: number of values.
        size: n.

    Returns:
        A boolean, ().
    """
    logs = jnp.sort(scale.logs, descending=True)
    gain = multiply(jnp.asarray(4 * sweeps - 2), logs[k - 1] - logs[-1])
    needed = math.log(size * len(logs)) - SETTLED * jnp.log(jnp.finfo(logs.dtype).eps)
    return (gain > needed) | (len(logs) == size)


class Bidiagonal(NamedTuple):
    """Store a bidiagonalization A Vᵀ = Uᵀ Bᵀ.

    The rows of V (`right`) and U (`left`), (m, n), are orthonormal, and B (`small`) is (m, m).
    Block Golub-Kahan bidiagonalization fills them in blocks of p rows; the other rows are zeros.
    """

    right: Array
    left: Array
    small: Array


def _krylov(
    forward: Pass,
    backward: Pass,
    bidiagonal: Bidiagonal,
    left: Array,
    top: Array,
    k: int,
    blocks: int,
) -> tuple[Array, Array, Array]:
    """Compute singular values over span{V, AᵀA V, (AᵀA)² V, ...} until the first k converge."""
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
        turned = graded.orthogonal_rows(put(turned, rows))  # a warm start needs few sweeps
        new = _norms(turned)[:k]
        beyond_rounding = jnp.abs(new - values) - 8 * eps * new[0]
        change = jnp.maximum(beyond_rounding / jnp.maximum(new, eps**0.4 * new[0]), 0).max()
        slower = jnp.maximum(before - change, jnp.maximum(change, tolerance))
        ahead = change * change / slower  # the rest of a geometric series
        spaces = Bidiagonal(put(right_space, right), put(left_space, left), put(small, rows))
        return count + 1, spaces, turned, left, new, change, ahead

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
    """Return rows orthonormal to those of `space`: block = parts @ space + triangleᵀ @ rows."""
    parts = block @ space.T
    rows, triangle = graded.orthonormal(block - parts @ space)
    again = rows @ space.T  # once is not enough (Giraud et al. 2005)
    rows, more = graded.orthonormal(rows - again @ space)
    return rows, parts + triangle.T @ again, more @ triangle


def _small(scale: Graded, top: Array) -> Array:
    """Return e^(d - top) · R, (p, p)."""
    rows = jnp.exp(jnp.minimum(scale.logs - top + scale.lost, graded.LARGEST_EXPONENT))
    return rows[:, None] * scale.triangle


def _norms(rows: Array) -> Array:
    return jnp.sort(jnp.linalg.norm(rows, axis=1), descending=True)


def _log_frobenius(space: Array, small: Array, rest: Array, width: int) -> Array:
    """Return ln ‖A‖_F, with ‖A‖_F² = ‖A S‖² + ‖A (I - SSᵀ)‖².

    The second term comes from rows u A of a random start. S was built from the first of them, so
    these count once; the others are random in the remaining dimensions, and are scaled up to them.
    """
    rest = ((rest - (rest @ space.T) @ space) ** 2).sum(-1)
    outside = rest[:width].sum()
    probes = len(rest) - width
    if probes:
        outside += rest[width:].sum() * (space.shape[1] - width) / probes
    return jnp.log((small**2).sum() + outside) / 2
