"""A forecaster says every step at once, its quantiles in order, and upside down if it is odd."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lstm_jax.models import storage
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig

pytestmark = pytest.mark.usefixtures("compile_fast")
SIZES = {"in_features": 2, "window": 6, "horizon": 3, "outputs": 3}
XS = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)


def make(seed=0, sizes=SIZES, **options):
    """A forecaster none of whose parameters is zero."""
    model = Forecaster(**sizes, config=ForecasterConfig(3, **options), rngs=nnx.Rngs(seed))
    keys = iter(jax.random.split(jax.random.key(seed), 9))
    params = jax.tree.map(
        lambda p: p + 0.3 * jax.random.normal(next(keys), p.shape), nnx.state(model, nnx.Param)
    )
    nnx.update(model, params)
    return model


def test_it_is_the_last_state_and_the_end_of_the_window_read_linearly():
    model = make(linear=2, sizes={**SIZES, "outputs": 1})
    ys = model(XS)
    assert ys.shape == (4, 3, 1)
    _, hs = model.lstm(XS)
    expected = hs[:, -1] @ model.output_kernel[...] + model.output_bias[...]
    expected += XS[:, -2:].reshape(4, 4) @ model.window_kernel[...]
    np.testing.assert_allclose(ys[..., 0], expected, atol=1e-5)


def test_a_new_one_says_nothing_and_yet_learns():
    model = Forecaster(**SIZES, config=ForecasterConfig(3, linear=6), rngs=nnx.Rngs(0))
    assert not model(XS).any()
    graph, params = nnx.split(model)
    gradient = jax.grad(lambda p: ((nnx.merge(graph, p)(XS) - 1) ** 2).sum())(params)
    for name in ("output_kernel", "output_bias", "window_kernel"):
        assert jnp.abs(gradient[name][...]).sum() > 0


@pytest.mark.parametrize("odd", [False, True])
def test_no_quantile_crosses_another(odd):
    ys = make(odd=odd, linear=1)(XS)
    assert ys.shape == (4, 3, 3)
    assert (np.diff(ys, axis=-1) >= 0).all()


def test_an_odd_one_says_of_the_window_upside_down_the_same_upside_down():
    model = make(odd=True, linear=2)
    np.testing.assert_allclose(model(-XS), -model(XS)[..., ::-1], atol=1e-6)
    assert jnp.abs(make(linear=2)(-XS) + make(linear=2)(XS)[..., ::-1]).max() > 0.1
    assert jax.tree.leaves(model.initial_state(4))[0].shape == (8, 3)
    np.testing.assert_allclose(model(0 * XS)[..., 1], 0, atol=1e-6)


def test_a_forecast_does_not_hang_on_the_others_of_its_batch():
    for model in (make(), make(odd=True)):
        np.testing.assert_allclose(model(XS)[1], model(XS[1:2])[0], atol=1e-6)


def test_dropout_is_active_with_a_key_alone():
    model = make(output_dropout=0.5)
    np.testing.assert_array_equal(model(XS), model(XS))
    one, same, other = (model(XS, key=jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="linear must be at most the window, 6, got 7"):
        make(linear=7)
    with pytest.raises(ValueError, match="output_dropout"):
        make(output_dropout=1.0)


def test_a_stored_one_comes_back(tmp_path):
    model = make(odd=True, linear=2)
    storage.save(tmp_path, model, {"steps": 1}, {**SIZES, "scaler": {"mean": [1.0]}})
    stored = storage.load(tmp_path, "Forecaster")
    assert stored.network.config == model.config
    assert stored.description["scaler"] == {"mean": [1.0]}
    np.testing.assert_array_equal(stored.network(XS), model(XS))


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_it_lowers_for_accelerators(platform):
    graph, params = nnx.split(make(linear=2))

    @jax.jit
    def forecast(params, xs):
        return nnx.merge(graph, params)(xs)

    assert jax.export.export(forecast, platforms=[platform])(params, XS).platforms == (platform,)
