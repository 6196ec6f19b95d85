"""An LSTM that begins as an orthogonal recurrence."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lstm_jax as lj
from lstm_jax.diagnostics import lyapunov_spectrum
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.unitary import unitary

KEY = jax.random.key(0)
H = 8


def test_small_states_turn_and_keep_their_length(x64):
    params = unitary(KEY, lj.init_lstm(KEY, 3, H, dtype=jnp.float64))
    candidate = np.asarray(params.recurrent_kernel[:, 2 * H : 3 * H])
    shrink = float(jax.nn.sigmoid(6.0)) ** 2
    np.testing.assert_allclose(shrink**2 * candidate @ candidate.T, np.eye(H), atol=1e-12)
    c = 1e-4 * np.random.default_rng(0).normal(size=H)
    state, silent = lj.LSTMState(h=shrink**0.5 * c, c=c), jnp.zeros((200, 3))
    final, _ = lj.scan(lj.lstm_step, params, silent, state)
    assert np.linalg.norm(final.c) == pytest.approx(np.linalg.norm(c), rel=0.1)


def test_its_largest_exponents_are_near_zero():
    params = unitary(KEY, lj.init_lstm(KEY, 3, H))
    xs = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    zero = lj.LSTMState(jnp.zeros(H), jnp.zeros(H))

    def largest(params):
        spectrum = lyapunov_spectrum(lj.lstm_step, params, xs, zero, k=H, burn_in=20)
        return np.asarray(spectrum.exponents)

    assert np.abs(largest(params)).max() < 0.12
    assert largest(lj.init_lstm(KEY, 3, H)).max() < -0.2, "the usual one forgets"


def test_the_rest_of_the_parameters_is_kept():
    before = lj.init_lstm(KEY, 3, H, peepholes=True, dtype=jnp.float16)
    after = unitary(KEY, before)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, before)
    assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {jnp.dtype(jnp.float16)}
    assert after.peephole is before.peephole


@pytest.mark.parametrize(
    "options", [{"bias": False}, {"coupled": True}, {"projection_features": 2}]
)
def test_other_lstms_are_refused(options):
    with pytest.raises(ValueError, match="four gates and a bias, without projection"):
        unitary(KEY, lj.init_lstm(KEY, 3, H, **options))


def test_a_model_begins_with_it():
    config = SequenceModelConfig(hidden_features=H, num_layers=2, unitary=True)
    model = SequenceModel(3, 2, config, rngs=nnx.Rngs(0))
    plain = SequenceModel(3, 2, replace(config, unitary=False), rngs=nnx.Rngs(0))
    for params in model.recurrent.params:
        assert float(params.bias[0]) == 6.0
        assert not params.recurrent_kernel[:, :H].any()
    np.testing.assert_allclose(model.output_kernel[...], 20 * plain.output_kernel[...], rtol=1e-6)
    for refused in (replace(config, cell="gru"), replace(config, max_timescale=9.0)):
        with pytest.raises(ValueError, match="unitary needs the lstm cell, and max_timescale None"):
            SequenceModel(3, 2, refused, rngs=nnx.Rngs(0))
