"""A sequence model reads every step, or the last of each row, from the configured layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lstm_jax
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig

pytestmark = pytest.mark.usefixtures("compile_fast")
LAYERS = {"lstm": lstm_jax.LSTM, "gru": lstm_jax.GRU, "rnn": lstm_jax.RNN}
XS = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32))
LENGTHS = jnp.array([4, 2, 1])


def make(cell="lstm", **options):
    config = SequenceModelConfig(cell, 4, 2, **options)
    model = SequenceModel(2, 3, config, rngs=nnx.Rngs(0))
    model.output_bias[...] = jnp.arange(3.0)
    return model


@pytest.mark.parametrize("cell", LAYERS)
def test_every_step_is_read_out(cell):
    model = make(cell)
    assert type(model.recurrent) is LAYERS[cell]
    state, ys = model(XS)
    expected_state, hs = model.recurrent(XS)
    expected = np.asarray(hs) @ np.asarray(model.output_kernel[...]) + np.arange(3)
    np.testing.assert_allclose(ys, expected, rtol=1e-5, atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, state, expected_state)


def test_the_last_output_is_that_of_each_row():
    model = make()
    state, last = model.last(XS, lengths=LENGTHS)
    again, ys = model(XS, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        np.testing.assert_allclose(last[row], ys[row, length - 1], rtol=1e-5, atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, state, again)
    mask = jnp.arange(4) < LENGTHS[:, None]
    np.testing.assert_array_equal(model.last(XS, mask=mask)[1], last)


def test_a_state_is_carried_and_a_reset_forgets_it():
    model = make()
    middle, _ = model(XS[:, :2])
    _, rest = model(XS[:, 2:], middle)
    np.testing.assert_allclose(rest, model(XS)[1][:, 2:], rtol=1e-5, atol=1e-6)
    resets = jnp.zeros((3, 2), bool).at[:, 0].set(True)
    _, fresh = model(XS[:, 2:], middle, resets=resets)
    _, expected = model(XS[:, 2:], model.initial_state(3))
    np.testing.assert_allclose(fresh, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(fresh, rest)


def test_the_configuration_reaches_the_layers():
    plain, forgetful = make(forget_bias=1.0), make(forget_bias=-2.0)
    for model, bias in ((plain, 1.0), (forgetful, -2.0)):
        for layer in model.recurrent.params:
            np.testing.assert_array_equal(layer.bias[4:8], np.full(4, bias))
    chrono = make(max_timescale=50.0)
    assert (chrono.recurrent.params[0].bias[4:8] > 0).all()
    assert len(plain.recurrent.params) == 2


def test_impossible_options_are_refused():
    with pytest.raises(ValueError, match="cell must be one of lstm, gru, rnn, got 'mgu'"):
        make("mgu")
    with pytest.raises(ValueError, match="max_timescale needs the lstm cell, got gru"):
        make("gru", max_timescale=9.0)
