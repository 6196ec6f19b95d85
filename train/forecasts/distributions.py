"""Distributions that a forecaster says the parameters of: their losses, and their quantiles.

Each is made of what the model gives, raw numbers a, b (and c), by softplus where one must be above
0. Losses are -ln p, of scaled values for the normal and Student's t, of counts for the negative
binomial, as Salinas et al. (2020) have it for DeepAR: its mean is the series' scale times
softplus(a), and its variance mean + shape · mean².
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
"""Added to what must be above 0: the loss of a series that is foretold exactly stays finite."""
HALVINGS = 60
"""Of the interval in which a quantile is looked for."""


class Distribution(NamedTuple):
    """`parameters`: how many numbers the model says of each step. `loss(raw (..., P), values (...),
    scale (...))`: -ln p (...). `quantile(raw (..., P), q, scale (...))`: (...), scaled."""

    parameters: int
    loss: Callable[[Array, Array, Array], Array]
    quantile: Callable[[Array, float, Array], Array]


def normal_loss(raw: Array, values: Array, scale: Array) -> Array:
    """Give ½ z² + ln σ + ½ ln 2π for z = (x - μ) / σ, μ = a, σ = softplus(b)."""
    del scale
    sigma = _positive(raw[..., 1])
    z = (values - raw[..., 0]) / sigma
    return 0.5 * z**2 + jnp.log(sigma) + 0.5 * jnp.log(2 * jnp.pi)


def normal_quantile(raw: Array, q: float, scale: Array) -> Array:
    """Give μ + σ Φ⁻¹(q)."""
    del scale
    return raw[..., 0] + _positive(raw[..., 1]) * ndtri(jnp.float32(q))


def student_loss(raw: Array, values: Array, scale: Array) -> Array:
    """Give -ln of Student's density of z = (x - μ) / σ, over σ.

    It has ν = 2 + softplus(c) degrees of freedom, so that there is a variance.
    """
    del scale
    sigma, nu = _positive(raw[..., 1]), 2 + _positive(raw[..., 2])
    z = (values - raw[..., 0]) / sigma
    norm = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * jnp.log(nu * jnp.pi)
    # z² / ν overflows where z does not: ln(1 + z² / ν) is twice ln √(1 + (z / √ν)²).
    w = jnp.abs(z) / jnp.sqrt(nu)
    big = w > 1e6
    tail = jnp.where(big, 2 * jnp.log(jnp.where(big, w, 1.0)), jnp.log1p(jnp.where(big, 0, w) ** 2))
    return (nu + 1) / 2 * tail + jnp.log(sigma) - norm


def student_quantile(raw: Array, q: float, scale: Array) -> Array:
    """Give μ + σ t_q, the t at which 1 - ½ I(ν / (ν + t²); ν / 2, ½) is q, by halving."""
    del scale
    sigma, nu = _positive(raw[..., 1]), 2 + _positive(raw[..., 2])
    tail = min(q, 1 - q)

    def beyond(t: Array) -> Array:
        return 0.5 * betainc(nu / 2, 0.5, nu / (nu + t**2))

    t = _halve(lambda t: beyond(t) > tail, jnp.zeros_like(nu), jnp.full_like(nu, 1e4))
    return raw[..., 0] + sigma * jnp.where(q < 0.5, -t, t)


def counts_loss(raw: Array, values: Array, scale: Array) -> Array:
    """Give -ln of the negative binomial of a count k, with r = 1 / shape:
    ln Γ(k + 1) + ln Γ(r) - ln Γ(k + r) + r ln(1 + μ / r) + k ln(1 + r / μ)."""
    mean, r = _counted(raw, scale)
    chosen = gammaln(values + 1) + gammaln(r) - gammaln(values + r)
    return chosen + r * jnp.log1p(mean / r) + values * jnp.log1p(r / mean)


def counts_quantile(raw: Array, q: float, scale: Array) -> Array:
    """Give the least k with I(r / (r + μ); r, k + 1) >= q, over the scale, by halving."""
    mean, r = _counted(raw, scale)
    share = r / (r + mean)
    most = 10 + 100 * (mean + jnp.sqrt(mean + mean**2 / r))
    below = _halve(lambda k: betainc(r, jnp.floor(k) + 1, share) < q, jnp.zeros_like(mean), most)
    least = jnp.floor(below)
    reached = betainc(r, least + 1, share) >= q
    return jnp.where(reached, least, least + 1) / scale


def _positive(raw: Array) -> Array:
    return softplus(raw) + SMALL


def _counted(raw: Array, scale: Array) -> tuple[Array, Array]:
    """Mean, and 1 / shape; the shape is smaller where counts are large (Salinas et al. 2020)."""
    return scale * _positive(raw[..., 0]), jnp.sqrt(scale) / _positive(raw[..., 1])


def _halve(low: Callable[[Array], Array], least: Array, most: Array) -> Array:
    """The place at which `low` stops to be true, from below."""

    def step(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        least, most = ends
        middle = (least + most) / 2
        under = low(middle)
        return jnp.where(under, middle, least), jnp.where(under, most, middle)

    return jax.lax.fori_loop(0, HALVINGS, step, (least, most))[0]


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Distribution(2, normal_loss, normal_quantile),
    "student-t": Distribution(3, student_loss, student_quantile),
    "negative-binomial": Distribution(2, counts_loss, counts_quantile),
}
"""What a configuration's `likelihood` names."""


def quantiles_of(
    likelihood: str, raw: ArrayLike, quantiles: Sequence[float], scale: ArrayLike
) -> np.ndarray:
    """Give quantiles of distributions, scaled as the values are that they are of.

    Args:
        likelihood: one of `DISTRIBUTIONS`.
        raw: (N, H, P), what the model says.
        quantiles: Q of them, in (0, 1).
        scale: (N,), of the series; only that of counts matters.

    Returns:
        (N, H, Q) float32.
    """
    raw = jnp.asarray(raw)
    scales = jnp.broadcast_to(jnp.asarray(scale, raw.dtype)[:, None], raw.shape[:2])
    found = [_quantile(likelihood, q)(raw, scales) for q in quantiles]
    return np.stack([np.asarray(values) for values in found], -1)


def _quantile(likelihood: str, q: float) -> Callable[[Array, Array], Array]:
    quantile = DISTRIBUTIONS[likelihood].quantile
    return jax.jit(partial(lambda raw, scale, q: quantile(raw, q, scale), q=q))
