"""Losses of distributions match textbook densities in float64, and quantiles have their share."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.train.forecasts.distributions import DISTRIBUTIONS, quantiles_of

pytestmark = pytest.mark.usefixtures("compile_fast")
RNG = np.random.default_rng(0)
EXTREMES = [-1e4, -50.0, 0.0, 50.0, 1e4]


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0) + 1e-4


def normal(raw, value, scale):
    mean, sigma = raw[0], softplus(raw[1])
    density = math.exp(-((value - mean) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    return -math.log(density)


def student(raw, value, scale):
    mean, sigma, nu = raw[0], softplus(raw[1]), 2 + softplus(raw[2])
    norm = math.gamma((nu + 1) / 2) / (math.sqrt(nu * math.pi) * math.gamma(nu / 2) * sigma)
    return -math.log(norm * (1 + ((value - mean) / sigma) ** 2 / nu) ** (-(nu + 1) / 2))


def counted(raw, scale):
    return scale * softplus(raw[0]), math.sqrt(scale) / softplus(raw[1])


def negative_binomial(raw, value, scale):
    mean, r = counted(raw, scale)
    p = r / (r + mean)
    chosen = math.gamma(value + r) / (math.gamma(value + 1) * math.gamma(r))
    return -math.log(chosen * p**r * (1 - p) ** value)


LITERAL = {"normal": normal, "student-t": student, "negative-binomial": negative_binomial}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_loss_is_minus_ln_of_the_density(name):
    distribution = DISTRIBUTIONS[name]
    for _ in range(20):
        raw = RNG.normal(size=distribution.parameters)
        scale = RNG.uniform(1, 20)
        value = float(RNG.poisson(scale)) if name == "negative-binomial" else RNG.normal()
        found = distribution.loss(jnp.asarray(raw, jnp.float32), jnp.float32(value), scale)
        assert found == pytest.approx(LITERAL[name](raw, value, scale), rel=2e-4, abs=2e-4)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_loss_and_gradient_are_finite_at_extremes(name):
    distribution = DISTRIBUTIONS[name]
    raws = np.stack(np.meshgrid(*[EXTREMES] * distribution.parameters), -1)
    raws = raws.reshape(-1, distribution.parameters)
    values = [0.0, 1.0, 1e5] if name == "negative-binomial" else [-1e5, 0.0, 1e5]
    loss = jax.jit(jax.value_and_grad(lambda raw, value: distribution.loss(raw, value, 3.0).sum()))
    for value in values:
        found, gradient = loss(jnp.asarray(raws, jnp.float32), jnp.full(len(raws), value))
        assert np.isfinite(found)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9])
def test_quantiles_of_the_normal_and_of_students_t_hold_their_share(q):
    """Compare with the sum of the density on a fine grid."""
    raw = np.array([0.3, -0.2, 0.4])
    for name in ("normal", "student-t"):
        own = raw[: DISTRIBUTIONS[name].parameters]
        found = quantiles_of(name, own[None, None].astype(np.float32), [q], [1.0])[0, 0, 0]
        grid = np.linspace(-20, float(found), 20_001)
        density = [math.exp(-LITERAL[name](own, x, 1.0)) for x in grid]
        assert sum(density) * (grid[1] - grid[0]) == pytest.approx(q, abs=3e-3)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9, 0.99])
def test_a_quantile_of_counts_is_the_least_that_holds_its_share(q):
    for raw, scale in (([0.5, 0.1], 4.0), ([-2.0, 1.0], 1.0), ([2.0, -3.0], 10.0)):
        found = quantiles_of(
            "negative-binomial", np.array(raw, np.float32)[None, None], [q], [scale]
        )[0, 0, 0]
        count = round(float(found * scale))
        assert found * scale == pytest.approx(count, abs=1e-3)
        below = [math.exp(-negative_binomial(raw, k, scale)) for k in range(count)]
        at = math.exp(-negative_binomial(raw, count, scale))
        assert sum(below) < q + 1e-3
        assert sum(below) + at > q - 1e-3


def test_quantiles_rise():
    raw = RNG.normal(size=(4, 3, 3)).astype(np.float32)
    for name, distribution in DISTRIBUTIONS.items():
        found = quantiles_of(
            name, raw[..., : distribution.parameters], (0.1, 0.5, 0.9), np.full(4, 5.0)
        )
        assert found.shape == (4, 3, 3)
        assert (np.diff(found, axis=-1) >= 0).all()
