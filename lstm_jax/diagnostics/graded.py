"""Long products stored as Q · diag(e^d) · R: logarithms and a triangle, for any dynamic range.

A product of a thousand Jacobians has singular values from e^{-1000} to e^{+100}. No float can hold
it, and in a plain product the large directions drown the small ones. Here, a QR decomposition every
few steps moves the growth into the logarithms d and leaves a unit triangle R, whose entries stay of
order one.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

SWEEPS = 8
MOST_PASSES = 12
JACOBI_SWEEPS = 15
GRAM_SCHMIDT_UP_TO = 64
LARGEST_EXPONENT = 60.0  # limit of d_j - d_i above the diagonal, where entries are of order one


class Graded(NamedTuple):
    """Store a matrix e^d · R by rows.

    d is `logs` + `lost` (p,), and R is `triangle` (p, p), upper triangular with diagonal ±1. `lost`
    collects the rounding errors of `logs`: a thousand additions to a float32 of some hundred would
    lose more accuracy than the rest of the arithmetic.
    """

    logs: Array
    lost: Array
    triangle: Array


def identity(size: int, dtype: DTypeLike) -> Graded:
    """Return the identity, (size, size)."""
    return Graded(jnp.zeros(size, dtype), jnp.zeros(size, dtype), jnp.eye(size, dtype=dtype))


def absorb(block: Array, graded: Graded) -> tuple[Array, Graded]:
    """Orthonormalize the rows of a block, and multiply the triangular factor into `graded`.

    Args:
        block: Yᵀ, (p, n), with Y = Q R'.
        graded: (p, p).

    Returns:
        Qᵀ, (p, n), and R' · graded.
    """
    q, r = orthonormal(block)
    size, growth = _diagonal(r)
    scaled = _bounded(jnp.triu(r / size[:, None] * _exp(_steps(graded))))
    return q, grow(graded, growth)._replace(triangle=_bounded(scaled @ graded.triangle))


def grow(graded: Graded, growth: Array) -> Graded:
    """Multiply the rows by e^growth, adding the logarithms without rounding (Knuth's TwoSum).

    Args:
        graded: (p, p).
        growth: (p,).

    Returns:
        The product.
    """
    total = graded.logs + growth
    part = total - graded.logs
    missed = (graded.logs - (total - part)) + (growth - part)
    return graded._replace(logs=total, lost=graded.lost + missed)


def level(block: Array, logs: Array) -> tuple[Array, Array]:
    """Scale each row to a largest entry of 1, and add the scale to its logarithm.

    This keeps rows from under- or overflowing between two QR decompositions.

    Args:
        block: (p, n).
        logs: (p,).

    Returns:
        The rows and the logarithms.
    """
    # The scale cancels in what the rows stand for, so its derivative is not needed; and that of a
    # maximum is 0/0 where XLA computes the entries twice and rounds them differently.
    peak = jax.lax.stop_gradient(jnp.abs(block).max(-1))
    peak = jnp.maximum(peak, jnp.finfo(block.dtype).tiny)
    return block / peak[:, None], logs + jnp.log(peak)


def orthonormal(block: Array) -> tuple[Array, Array]:
    """Decompose blockᵀ = Q R.

    Args:
        block: rows, (p, n).

    Returns:
        Qᵀ, orthonormal rows (p, n), and R, (p, p). Both are zeros if the block is exactly zero,
        because it has no directions; any map of it is zero, too.
    """
    if block.shape[0] > GRAM_SCHMIDT_UP_TO:
        q, r = jnp.linalg.qr(block.T)
        return jnp.where(block.any(), q.T, 0), r

    # LAPACK's threads and XLA's compete. For a narrow block every few steps, LAPACK's QR
    # decomposition takes ten times as long as these products in XLA.
    def body(j, carry):
        q, r = carry
        # Scaled to a largest entry of 1, so that squares do not over- or underflow.
        peak = jnp.maximum(jnp.abs(block[j]).max(), tiny)

        def project(carry):
            passes, v, peak, column, _ = carry
            parts = q @ v
            v, column = v - parts @ q, column + parts * peak
            left = jnp.maximum(jnp.abs(v).max(), tiny)
            return passes + 1, v / left, peak * left, column, left

        # Projecting once is not enough (Giraud et al. 2005). Twice is not enough for a row in the
        # span of the earlier rows: its remainder is rounding errors, which may lie in that span.
        def unsettled(carry):
            passes, *_, left = carry
            return (passes < 2) | ((left < 0.5) & (passes < MOST_PASSES))

        start = jnp.int32(0), block[j] / peak, peak, jnp.zeros(width, block.dtype), peak
        _, v, peak, column, _ = jax.lax.while_loop(unsettled, project, start)
        size = jnp.maximum(jnp.sqrt((v * v).sum()), tiny)
        return q.at[j].set(v / size), r.at[:, j].set(column.at[j].set(size * peak))

    tiny = jnp.finfo(block.dtype).tiny
    width = block.shape[0]
    start = jnp.zeros_like(block), jnp.zeros((width, width), block.dtype)
    return jax.lax.fori_loop(0, width, body, start)


def orthogonal_rows(rows: Array) -> Array:
    """Rotate rows among each other until they are orthogonal; their norms are singular values.

    The method is one-sided Jacobi (Hestenes 1958), with m/2 pairs at once in round-robin order. It
    is as accurate for small values as for large ones (Demmel & Veselić 1992). LAPACK is avoided for
    the reason given in `orthonormal`.

    Args:
        rows: (m, n).

    Returns:
        The rows, in any order.
    """
    count, width = rows.shape
    if count % 2:
        return orthogonal_rows(jnp.concatenate([rows, jnp.zeros((1, width), rows.dtype)]))[:-1]
    half, info = count // 2, jnp.finfo(rows.dtype)

    def turn(_, carry):
        rows, worst = carry
        a, b = rows[:half], rows[half:]
        aa, bb, ab = (a * a).sum(1), (b * b).sum(1), (a * b).sum(1)
        cosine = jnp.abs(ab) / jnp.maximum(jnp.sqrt(aa) * jnp.sqrt(bb), info.tiny)
        apart = (bb - aa) / jnp.where(ab == 0, 1, 2 * ab)
        sign = jnp.where(apart < 0, -1, 1)
        tangent = jnp.where(ab == 0, 0, sign / (jnp.abs(apart) + jnp.sqrt(1 + apart**2)))[:, None]
        c = 1 / jnp.sqrt(1 + tangent**2)
        a, b = c * (a - tangent * b), c * (tangent * a + b)
        rows = jnp.concatenate([a[:1], b[:1], a[1:-1], b[1:], a[-1:]]) if half > 1 else rows
        return rows, jnp.maximum(worst, cosine.max())

    def sweep(carry):
        sweeps, rows, _ = carry
        return sweeps + 1, *jax.lax.fori_loop(0, count - 1, turn, (rows, jnp.zeros((), rows.dtype)))

    def crossed(carry):
        sweeps, _, worst = carry
        return (sweeps < JACOBI_SWEEPS) & (worst > 8 * info.eps)

    start = (jnp.int32(0), rows, jnp.ones((), rows.dtype))
    return jax.lax.while_loop(crossed, sweep, start)[1]


def log_singular_values(graded: Graded) -> Array:
    """Compute ln σ of e^d · R.

    Values within a factor ε^0.4 of the largest (1.7e-3 in float32, 5e-7 in float64) come from an
    SVD, with full accuracy. Smaller values would be below the rounding errors of the SVD, and come
    from a QR iteration in logarithms, with full accuracy if they are well separated, and to within
    the spread of their cluster otherwise.

    Args:
        graded: (p, p).

    Returns:
        (p,), descending.
    """
    graded = jax.lax.fori_loop(0, SWEEPS, lambda _, g: _flip(g), graded)
    top = graded.logs.max()
    scaled = jnp.exp(graded.logs - top + graded.lost)[:, None] * graded.triangle
    values = jnp.linalg.svd(scaled, compute_uv=False)
    by_qr = jnp.sort(graded.logs + graded.lost, descending=True)
    trusted = values > values[0] * jnp.finfo(values.dtype).eps ** 0.4
    return jnp.where(trusted, jnp.log(jnp.where(trusted, values, 1)) + top, by_qr)


def _flip(graded: Graded) -> Graded:
    """Take a half-step toward a diagonal with the same σ: Rᵀ = Q S, so (e^d R)ᵀ ~ S e^d."""
    s = jnp.linalg.qr(graded.triangle.T, mode="r")
    size, growth = _diagonal(s)
    scaled = _bounded(jnp.triu(s / size[:, None] * _exp(_steps(graded))))
    return grow(graded, growth)._replace(triangle=scaled)


def _steps(graded: Graded) -> Array:
    """Return d_j - d_i, (p, p)."""
    logs, lost = graded.logs, graded.lost
    return (logs[None, :] - logs[:, None]) + (lost[None, :] - lost[:, None])


def _diagonal(r: Array) -> tuple[Array, Array]:
    size = jnp.maximum(jnp.abs(jnp.diagonal(r)), jnp.finfo(r.dtype).tiny)
    return size, jnp.log(size)


def _bounded(triangle: Array) -> Array:
    """Limit entries so that they can be multiplied.

    If a product is singular, a row of R is 0 divided by almost 0, with a logarithm far below the
    others; its entries must not become infinite.
    """
    limit = jnp.finfo(triangle.dtype).max ** 0.25
    return jnp.clip(triangle, -limit, limit)


def _exp(x: Array) -> Array:
    return jnp.exp(jnp.minimum(x, LARGEST_EXPONENT))
