"""Long products kept as Q · diag(e^d) · R: logarithms beside a triangle, for any dynamic range.

A product of a thousand Jacobians has singular values from e^{-1000} to e^{+100}: no float holds
it, and in a plain product the large directions drown the small ones. Here every few steps a QR
decomposition takes the growth out into the logarithms d and leaves a unit triangle R, whose
entries stay of order one.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

SWEEPS = 8
PASSES = 3
GRAM_SCHMIDT_UP_TO = 64
LARGEST_EXPONENT = 60.0  # of e^(d_j - d_i) above the diagonal, where QR leaves at most order one


class Graded(NamedTuple):
    """A matrix e^d · R by rows: `logs` d (p,), `triangle` R (p, p), upper, diagonal ±1."""

    logs: Array
    triangle: Array


def identity(size: int, dtype) -> Graded:
    """The identity, (size, size)."""
    return Graded(jnp.zeros(size, dtype), jnp.eye(size, dtype=dtype))


def absorb(block: Array, graded: Graded) -> tuple[Array, Graded]:
    """Make the rows of a block orthonormal, and multiply what that takes into `graded`.

    With block (p, n) = Yᵀ and Y = Q R', returns Qᵀ and R' · graded.
    """
    q, r = orthonormal(block)
    return q, _times(r, graded)


def level(block: Array, logs: Array) -> tuple[Array, Array]:
    """Rows of largest entry 1, and what that takes in their logarithms (p,).

    Between two QR decompositions too, nothing may under- or overflow.
    """
    peak = jnp.maximum(jnp.abs(block).max(-1), jnp.finfo(block.dtype).tiny)
    return block / peak[:, None], logs + jnp.log(peak)


def orthonormal(block: Array) -> tuple[Array, Array]:
    """QR of blockᵀ, for a block of rows (p, n): orthonormal rows (p, n), and R (p, p)."""
    if block.shape[0] > GRAM_SCHMIDT_UP_TO:
        q, r = jnp.linalg.qr(block.T)
        return q.T, r

    # LAPACK's threads and XLA's get in each other's way: for a narrow block, called every few
    # steps, a QR decomposition takes ten times as long as these products of XLA's own.
    def body(j, carry):
        q, r = carry
        peak = jnp.maximum(jnp.abs(block[j]).max(), tiny)  # so that no square overflows
        v, column = block[j] / peak, jnp.zeros(width, block.dtype)
        # Once is not enough (Giraud et al. 2005), nor is twice for a row that the rows before it
        # span: what is left of it then is rounding errors, which lie mostly among those rows.
        for _ in range(PASSES):
            parts = q @ v
            v, column = v - parts @ q, column + parts
        size = jnp.maximum(jnp.sqrt((v * v).sum()), tiny)
        return q.at[j].set(v / size), r.at[:, j].set(column.at[j].set(size) * peak)

    tiny = jnp.finfo(block.dtype).tiny
    width = block.shape[0]
    start = jnp.zeros_like(block), jnp.zeros((width, width), block.dtype)
    return jax.lax.fori_loop(0, width, body, start)


def _times(r: Array, graded: Graded) -> Graded:
    d = graded.logs
    size, logs = _diagonal(r)
    scaled = jnp.triu(r / size[:, None] * _exp(d[None, :] - d[:, None]))
    return Graded(d + logs, scaled @ graded.triangle)


def log_singular_values(graded: Graded) -> Array:
    """ln σ of e^d · R, descending, (p,).

    Those within a factor ε^0.4 of the largest (1.7e-3 in float32, 5e-7 in float64) come from an
    SVD, to full accuracy. Below, the SVD's rounding errors are larger than the values, and the QR
    iteration in logarithms gives them: to full accuracy where they are apart, and to within the
    spread of a cluster where they are not.
    """
    graded = jax.lax.fori_loop(0, SWEEPS, lambda _, g: _flip(g), graded)
    top = graded.logs.max()
    scaled = jnp.exp(graded.logs - top)[:, None] * graded.triangle
    values = jnp.linalg.svd(scaled, compute_uv=False)
    by_qr = jnp.sort(graded.logs, descending=True)
    trusted = values > values[0] * jnp.finfo(values.dtype).eps ** 0.4
    return jnp.where(trusted, jnp.log(jnp.where(trusted, values, 1)) + top, by_qr)


def _flip(graded: Graded) -> Graded:
    """The same singular values a half-step nearer to a diagonal: Rᵀ = Q S, so (e^d R)ᵀ ~ S e^d."""
    d = graded.logs
    s = jnp.linalg.qr(graded.triangle.T, mode="r")
    size, logs = _diagonal(s)
    return Graded(d + logs, jnp.triu(s / size[:, None] * _exp(d[None, :] - d[:, None])))


def _diagonal(r: Array) -> tuple[Array, Array]:
    size = jnp.maximum(jnp.abs(jnp.diagonal(r)), jnp.finfo(r.dtype).tiny)
    return size, jnp.log(size)


def _exp(x: Array) -> Array:
    return jnp.exp(jnp.minimum(x, LARGEST_EXPONENT))
