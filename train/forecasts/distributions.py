"""Losses and quantiles of the distributions whose parameters a forecaster can predict.

The model outputs raw numbers a, b (and c) for each step; softplus makes them positive where they
must be. Losses are -ln p: of scaled values for the normal and Student's t distribution, of counts
for the negative binomial, which follows DeepAR (Salinas et al. 2020): its mean is the series' scale
times softplus(a), and its variance is mean + shape · mean².
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.nn import softplus
from jax.scipy.special import betainc, gammaln, ndtri
from jax.typing import ArrayLike

SMALL = 1e-4
"""Added to positive parameters, so that the loss of a perfect forecast stays finite."""
HALVINGS = 60
"""Number of bisections in the search for a quantile."""


class Distribution(NamedTuple):
    """Describe a distribution.

    Attributes:
        parameters: P, the number of outputs per step.
        loss: `loss(raw (..., P), values (...), scale (...))` computes -ln p (...).
        quantile: `quantile(raw (..., P), q, scale (...))` computes a scaled quantile (...).
    """

    parameters: int
    loss: Callable[[Array, Array, Array], Array]
    quantile: Callable[[Array, float, Array], Array]


def normal_loss(raw: Array, values: Array, scale: Array) -> Array:
    """Compute ½ z² + ln σ + ½ ln 2π for z = (x - μ) / σ, μ = a, σ = softplus(b)."""
    del scale
    sigma = _positive(raw[..., 1])
    z = (values - raw[..., 0]) / sigma
    return 0.5 * z**2 + jnp.log(sigma) + 0.5 * jnp.log(2 * jnp.pi)


def normal_quantile(raw: Array, q: float, scale: Array) -> Array:
    """Compute μ + σ Φ⁻¹(q)."""
    del scale
    return raw[..., 0] + _positive(raw[..., 1]) * ndtri(jnp.float32(q))


def student_loss(raw: Array, values: Array, scale: Array) -> Array:
    """Compute -ln(p(z) / σ) for z = (x - μ) / σ and Student's density p.

    The degrees of freedom are ν = 2 + softplus(c), so that the variance is finite.
    """
    del scale
    sigma, nu = _positive(raw[..., 1]), 2 + _positive(raw[..., 2])
    z = (values - raw[..., 0]) / sigma
    norm = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * jnp.log(nu * jnp.pi)
    # z² / ν can overflow even if z does not; with w = |z| / √ν, ln(1 + w²) is 2 ln w for large w.
    w = jnp.abs(z) / jnp.sqrt(nu)
    big = w > 1e6
    tail = jnp.where(big, 2 * jnp.log(jnp.where(big, w, 1.0)), jnp.log1p(jnp.where(big, 0, w) ** 2))
    return (nu + 1) / 2 * tail + jnp.log(sigma) - norm


def student_quantile(raw: Array, q: float, scale: Array) -> Array:
    """Compute μ + σ t_q by bisection; at t_q, 1 - ½ I(ν / (ν + t²); ν / 2, ½) is q."""
    del scale
    sigma, nu = _positive(raw[..., 1]), 2 + _positive(raw[..., 2])
    tail = min(q, 1 - q)

    def beyond(t: Array) -> Array:
        return 0.5 * betainc(nu / 2, 0.5, nu / (nu + t**2))

    t = _bisect(lambda t: beyond(t) > tail, jnp.zeros_like(nu), jnp.full_like(nu, 1e4))
    return raw[..., 0] + sigma * jnp.where(q < 0.5, -t, t)


def counts_loss(raw: Array, values: Array, scale: Array) -> Array:
    """Compute -ln p of a count k under the negative binomial distribution, with r = 1 / shape.

    ln Γ(k + 1) + ln Γ(r) - ln Γ(k + r) + r ln(1 + μ / r) + k ln(1 + r / μ)
    """
    mean, r = _counted(raw, scale)
    chosen = gammaln(values + 1) + gammaln(r) - gammaln(values + r)
    return chosen + r * jnp.log1p(mean / r) + values * jnp.log1p(r / mean)


def counts_quantile(raw: Array, q: float, scale: Array) -> Array:
    """Find the smallest k with I(r / (r + μ); r, k + 1) >= q by bisection, divided by the scale."""
    mean, r = _counted(raw, scale)
    share = r / (r + mean)
    high = 10 + 100 * (mean + jnp.sqrt(mean + mean**2 / r))
    below = _bisect(lambda k: betainc(r, jnp.floor(k) + 1, share) < q, jnp.zeros_like(mean), high)
    count = jnp.floor(below)
    reached = betainc(r, count + 1, share) >= q
    return jnp.where(reached, count, count + 1) / scale


def _positive(raw: Array) -> Array:
    return softplus(raw) + SMALL


def _counted(raw: Array, scale: Array) -> tuple[Array, Array]:
    """Compute the mean, and 1 / shape, which grows with the scale (Salinas et al. 2020)."""
    return scale * _positive(raw[..., 0]), jnp.sqrt(scale) / _positive(raw[..., 1])


def _bisect(is_below: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Find the point where `is_below` turns from True to False, approached from below."""

    def step(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        below = is_below(middle)
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    return jax.lax.fori_loop(0, HALVINGS, step, (low, high))[0]


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Distribution(2, normal_loss, normal_quantile),
    "student-t": Distribution(3, student_loss, student_quantile),
    "negative-binomial": Distribution(2, counts_loss, counts_quantile),
}
"""The distributions, by the name that a configuration's `likelihood` uses."""


def quantiles_of(
    likelihood: str, raw: ArrayLike, quantiles: Sequence[float], scale: ArrayLike
) -> np.ndarray:
    """Compute quantiles of predicted distributions, in scaled values.

    Args:
        likelihood: one of `DISTRIBUTIONS`.
        raw: (N, H, P), the outputs of the model.
        quantiles: Q quantiles in (0, 1).
        scale: (N,), the scales of the series, which matter only for counts.

    Returns:
        The quantiles, (N, H, Q) float32.
    """
    raw = jnp.asarray(raw)
    scales = jnp.broadcast_to(jnp.asarray(scale, raw.dtype)[:, None], raw.shape[:2])
    columns = [_quantile(likelihood, q)(raw, scales) for q in quantiles]
    return np.stack([np.asarray(column) for column in columns], -1)


def _quantile(likelihood: str, q: float) -> Callable[[Array, Array], Array]:
    quantile = DISTRIBUTIONS[likelihood].quantile
    return jax.jit(partial(lambda raw, scale, q: quantile(raw, q, scale), q=q))
