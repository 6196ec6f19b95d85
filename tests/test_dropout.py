import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.regularize import dropout

KEY = jax.random.key(0)


def test_no_key_and_no_rate_change_nothing():
    xs = jnp.arange(6.0)
    assert dropout(None, xs, 0.5) is xs
    assert dropout(KEY, xs, 0.0) is xs
    assert dropout(KEY, xs, 0) is xs


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_mean_is_kept_and_the_rate_is_the_share_of_zeros(rate):
    n = 100_000
    out = np.asarray(dropout(KEY, jnp.ones(n), rate), np.float64)
    deviation = np.sqrt(rate * (1 - rate) / n)
    assert abs((out == 0).mean() - rate) < 5 * deviation
    np.testing.assert_allclose(out[out != 0], 1 / (1 - rate), rtol=1e-6)
    assert abs(out.mean() - 1) < 5 * deviation / (1 - rate)


def test_shared_axes_share_one_draw():
    xs = jnp.ones((7, 50, 40))
    over_time = np.asarray(dropout(KEY, xs, 0.5, shared_axes=(0,)))
    assert (over_time == over_time[:1]).all()
    assert 0 < (over_time[0] == 0).mean() < 1
    assert not (over_time[0] == over_time[0, :1]).all()
    assert not (over_time[0] == over_time[0, :, :1]).all()
    both = np.asarray(dropout(KEY, xs, 0.5, shared_axes=(0, -1)))
    assert (both == both[:1, :, :1]).all()
    assert not (both == both[:1, :1, :1]).all()
    independent = np.asarray(dropout(KEY, xs, 0.5))
    assert not (independent == independent[:1]).all()


def test_the_key_is_the_mask():
    xs = jnp.arange(1.0, 101.0)
    first, again = dropout(KEY, xs, 0.5), jax.jit(dropout, static_argnums=2)(KEY, xs, 0.5)
    np.testing.assert_array_equal(first == 0, again == 0)
    np.testing.assert_array_equal(first == 0, dropout(KEY, 2 * xs, 0.5) == 0)
    other = dropout(jax.random.key(1), xs, 0.5)
    assert ((np.asarray(first) == 0) != (np.asarray(other) == 0)).any()


def test_gradient_is_the_scaled_mask_even_at_infinity():
    xs = jnp.ones(20)
    out, pull = jax.vjp(lambda xs: dropout(KEY, xs, 0.5), xs)
    np.testing.assert_array_equal(pull(jnp.ones(20))[0], out)
    infinite = np.asarray(dropout(KEY, jnp.full(20, jnp.inf), 0.5))
    np.testing.assert_array_equal(infinite, np.where(out == 0, 0, np.inf))


def test_dtype_is_kept():
    assert dropout(KEY, jnp.ones(4, jnp.bfloat16), 0.5).dtype == jnp.bfloat16


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
@pytest.mark.parametrize("key", [None, KEY], ids=["no key", "key"])
def test_rates_outside_are_refused(rate, key):
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\)"):
        dropout(key, jnp.ones(3), rate)
