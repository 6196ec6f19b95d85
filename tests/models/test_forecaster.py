"""A forecaster predicts all steps at once, with ordered quantiles, and is odd if configured."""

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
    """A forecaster with nonzero parameters."""
    model = Forecaster(**sizes, config=ForecasterConfig(3, **options), rngs=nnx.Rngs(seed))
    keys = iter(jax.random.split(jax.random.key(seed), 9))
    params = jax.tree.map(
        lambda p: p + 0.3 * jax.random.normal(next(keys), p.shape), nnx.state(model, nnx.Param)
    )
    nnx.update(model, params)
    return model


def test_it_reads_the_last_state_and_the_end_of_the_window():
    model = make(linear=2, sizes={**SIZES, "outputs": 1})
    ys = model(XS)
    assert ys.shape == (4, 3, 1)
    _, hs = model.lstm(XS)
    expected = hs[:, -1] @ model.output_kernel[...] + model.output_bias[...]
    expected += XS[:, -2:].reshape(4, 4) @ model.window_kernel[...]
    np.testing.assert_allclose(ys[..., 0], expected, atol=1e-5)


def test_a_new_forecaster_predicts_zeros_and_learns():
    model = Forecaster(**SIZES, config=ForecasterConfig(3, linear=6), rngs=nnx.Rngs(0))
    assert not model(XS).any()
    graph, params = nnx.split(model)
    gradient = jax.grad(lambda p: ((nnx.merge(graph, p)(XS) - 1) ** 2).sum())(params)
    for name in ("output_kernel", "output_bias", "window_kernel"):
        assert jnp.abs(gradient[name][...]).sum() > 0


@pytest.mark.parametrize("odd", [False, True])
def test_quantiles_do_not_cross(odd):
    ys = make(odd=odd, linear=1)(XS)
    assert ys.shape == (4, 3, 3)
    assert (np.diff(ys, axis=-1) >= 0).all()


def test_an_odd_forecaster_negates_with_the_window():
    model = make(odd=True, linear=2)
    np.testing.assert_allclose(model(-XS), -model(XS)[..., ::-1], atol=1e-6)
    assert jnp.abs(make(linear=2)(-XS) + make(linear=2)(XS)[..., ::-1]).max() > 0.1
    assert jax.tree.leaves(model.initial_state(4))[0].shape == (8, 3)
    np.testing.assert_allclose(model(0 * XS)[..., 1], 0, atol=1e-6)


def test_a_forecast_does_not_depend_on_the_rest_of_the_batch():
    for model in (make(), make(odd=True)):
        np.testing.assert_allclose(model(XS)[1], model(XS[1:2])[0], atol=1e-6)


def test_dropout_is_active_only_with_a_key():
    model = make(output_dropout=0.5)
    np.testing.assert_array_equal(model(XS), model(XS))
    one, same, other = (model(XS, key=jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_impossible_options_are_refused():
    with pytest.raises(ValueError, match="linear must be at most the window, 6, got 7"):
        make(linear=7)
    with pytest.raises(ValueError, match="odd=True needs windows of numbers alone"):
        make(odd=True, sizes={**SIZES, "reads_on": True})
    with pytest.raises(ValueError, match=r"xs must be \(B, T \+ 3, D\) with T at least 2"):
        make(linear=2, sizes={**SIZES, "reads_on": True})(XS[:, :4])
    with pytest.raises(ValueError, match="output_dropout"):
        make(output_dropout=1.0)


FUTURE = np.random.default_rng(1).normal(size=(4, 6 + 3, 2)).astype(np.float32)


def test_known_future_inputs_add_to_each_step():
    model = make(linear=2, sizes={**SIZES, "outputs": 2, "reads_on": True, "quantiles": False})
    ys = model(FUTURE)
    assert ys.shape == (4, 3, 2)
    state, hs = model.lstm(FUTURE[:, :6])
    _, ahead = model.lstm(FUTURE[:, 6:], state)
    expected = hs[:, -1] @ model.output_kernel[...] + model.output_bias[...]
    expected += FUTURE[:, 4:6].reshape(4, 4) @ model.window_kernel[...]
    expected = expected.reshape(4, 3, 2) + ahead @ model.future_kernel[...]
    np.testing.assert_allclose(ys, expected, atol=1e-5)
    later = FUTURE.copy()
    later[:, 7:] += 1  # a known input affects its step and later steps
    changed = np.abs(np.asarray(model(later) - ys)).max((0, 2))
    assert changed[0] == 0
    assert (changed[1:] > 1e-3).all()


def test_codes_stand_for_learned_vectors():
    model = make(linear=2, sizes={**SIZES, "in_features": 4, "categories": (3, 20)})
    codes = np.broadcast_to(np.array([[[2, 7]]], np.float32), (4, 6, 2))
    ys = model(np.concatenate([XS, codes], 2))
    one, other = model.embedding_0[...], model.embedding_1[...]
    assert (one.shape, other.shape) == ((3, 3), (20, 8))
    vectors = np.concatenate([one[2], other[7]])
    read = np.concatenate([XS, np.broadcast_to(vectors, (4, 6, 11))], 2)
    _, hs = model.lstm(read)
    expected = hs[:, -1] @ model.output_kernel[...] + model.output_bias[...]
    expected += XS[:, -2:].reshape(4, 4) @ model.window_kernel[...]
    np.testing.assert_allclose(ys, np.sort(expected.reshape(4, 3, 3)), atol=1e-5)
    unknown = np.concatenate([XS, 0 * codes], 2)
    assert np.abs(model(unknown) - ys).max() > 1e-3


def test_parameters_of_a_distribution_are_not_sorted():
    assert (np.diff(make(sizes={**SIZES, "quantiles": False})(XS), axis=-1) < 0).any()


def test_a_forecaster_with_known_future_inputs_is_restored(tmp_path):
    sizes = {**SIZES, "in_features": 3, "reads_on": True, "categories": (4,), "quantiles": False}
    model = make(linear=2, sizes=sizes)
    storage.save(tmp_path, model, {}, sizes)
    xs = np.concatenate([FUTURE, np.ones((4, 9, 1), np.float32)], 2)
    np.testing.assert_array_equal(storage.load(tmp_path).network(xs), model(xs))


def test_a_stored_forecaster_is_restored(tmp_path):
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
