"""Without steps or without rows, the state is returned and outputs are empty.

What `lstm_jax.scan` says of T=0 and B=0 holds of every cell, implementation, option and layer, and
of what is built on them.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_jax as lj
from lstm_jax import regularize
from lstm_jax.diagnostics import adjoints, lyapunov_spectrum, norms_by_lag
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.classifier import Pooling, SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.forecaster import Forecaster, ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.stacks import last_valid
from lstm_jax.text import sampling

pytestmark = pytest.mark.usefixtures("compile_fast")

D, H = 2, 3
CELLS = {
    "lstm": (lj.lstm, lj.init_lstm),
    "rnn": (lj.rnn, lj.init_rnn),
    "gru": (lj.gru, lj.init_gru),
    "mgu": (lj.mgu, lj.init_mgu),
}
LAYERS = {"lstm": lj.LSTM, "rnn": lj.RNN, "gru": lj.GRU, "mgu": lj.MGU}
EMPTY = st.sampled_from([(0, 2), (3, 0), (0, 0)])
CONTROLS = st.sets(st.sampled_from(["lengths", "mask", "resets"]))
REMAT = st.sampled_from([None, 1, 2, "sqrt"])


def ones_like(tree):
    return jax.tree.map(jnp.ones_like, tree)


def controls(names, steps, rows, time_major=True):
    shape = (steps, *rows) if time_major else (*rows, steps)
    made = {name: np.ones(shape, bool) for name in names if name != "lengths"}
    return made | ({"lengths": np.full(rows, steps, np.int32)} if "lengths" in names else {})


def assert_all(tree, value):
    for leaf in jax.tree.leaves(tree):
        np.testing.assert_array_equal(leaf, np.full(leaf.shape, value))


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(list(CELLS)), st.sampled_from(["scan", "fused"]), EMPTY, st.booleans(),
    CONTROLS, st.booleans(), REMAT, st.sampled_from([1, 2, True]),
)  # fmt: skip
def test_a_recurrence(cell, implementation, shape, batched, names, reverse, remat, unroll):
    run, init = CELLS[cell]
    steps, rows = shape[0], shape[1:] if batched or shape[0] else ()
    params, xs = init(jax.random.key(0), D, H), jnp.ones((steps, *rows, D))
    options = {"reverse": reverse, "remat": remat, "unroll": unroll}
    options |= controls(names, steps, rows)
    implementation = "scan" if cell == "mgu" else implementation
    state = ones_like(run(params, xs)[0])

    def total(params, state):
        final, hs = run(params, xs, state, implementation=implementation, **options)
        return sum(leaf.sum() for leaf in jax.tree.leaves((final, hs))), (final, hs)

    gradients, (final, hs) = jax.grad(total, (0, 1), has_aux=True)(params, state)
    assert hs.shape == (steps, *rows, H)
    assert_all(final, 1)
    assert_all(gradients[0], 0)
    assert_all(gradients[1], 1)  # without steps, or without rows


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(list(LAYERS)), st.sampled_from([None, "scan"]), EMPTY, CONTROLS,
    st.sampled_from([None, "residual", "skip"]), st.booleans(), st.integers(1, 2),
    st.sampled_from(["concat", "sum"]), st.sampled_from(["all", "last", "none"]), REMAT,
    st.sampled_from([{}, {"input_dropout": 0.5, "output_dropout": 0.5}, {"zoneout": 0.5},
                     {"variational": True, "output_dropout": 0.5, "weight_dropout": 0.5}]),
    st.booleans(),
)  # fmt: skip
def test_layers(
    cell, way, shape, names, connections, both, count, merge, outputs, remat, noise, learned
):
    (steps, rows), key = shape, jax.random.key(1)
    if both and connections == "residual" and outputs == "last":
        connections = "skip"  # two directions do not support this combination
    layer = LAYERS[cell](
        D, H, num_layers=count, bidirectional=both, merge=merge, connections=connections,
        remat=remat, learned_initial=learned, rngs=nnx.Rngs(0),
        implementation=None if "zoneout" in noise else way, **noise,
    )  # fmt: skip
    state = ones_like(layer.initial_state(rows))
    options = controls(names, steps, (rows,), time_major=False)
    final, hs = layer(jnp.ones((rows, steps, D)), state, outputs=outputs, **options)
    noisy, _ = layer(jnp.ones((rows, steps, D)), state, outputs=outputs, key=key, **options)
    assert_all((final, noisy), 1)
    if outputs == "none":
        assert hs is None
    elif outputs == "all":
        assert hs.shape == (rows, steps, layer.out_features)
    else:
        assert hs.shape == (rows, layer.out_features)
        assert_all(hs, 2 if both and merge == "sum" else 1)  # h of the state


@pytest.mark.parametrize("shape", [(0, 2, H), (3, 0, H), (0, 0, H), (0, H)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_last_valid_step_of_an_empty_row_is_zeros(shape, dtype):
    ys = jnp.ones(shape, dtype)
    for names in ([], ["mask"], ["lengths"], ["mask", "lengths"]):
        last = last_valid(ys, **controls(set(names) - {"resets"}, shape[0], shape[1:-1]))
        assert (last.shape, last.dtype) == (shape[1:], dtype)
        assert_all(last, 0)


@pytest.mark.parametrize("pooling", Pooling.__args__)
@pytest.mark.parametrize(
    ("reads_ids", "shape"), [(True, (0, 2)), (True, (3, 0)), (False, (0, 2)), (False, (0, 0))]
)
def test_a_classifier_returns_its_bias_without_steps(shape, pooling, reads_ids):
    steps, rows = shape
    config = SequenceClassifierConfig(2, H, pooling=pooling, word_dropout=0.5, output_dropout=0.5)
    sizes = {"vocabulary_size": 5} if reads_ids else {"in_features": D}
    model = SequenceClassifier(4, config, **sizes, rngs=nnx.Rngs(0))
    model.output_bias[...] = jnp.arange(4.0)
    xs = jnp.ones((rows, steps), jnp.int32) if reads_ids else jnp.ones((rows, steps, D))
    for options in ({}, {"lengths": np.full(rows, steps)}, {"key": jax.random.key(0)}):
        np.testing.assert_array_equal(model(xs, **options), np.tile(np.arange(4.0), (rows, 1)))


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("linear", [0, 2])
def test_a_forecaster(odd, linear):
    config = ForecasterConfig(H, linear=linear, odd=odd)
    model = Forecaster(D, 4, 3, 2, config, rngs=nnx.Rngs(0))
    assert model(jnp.ones((0, 4, D))).shape == (0, 3, 2)
    if linear:
        with pytest.raises(ValueError, match="T at least 2, the steps of the linear map"):
            model(jnp.ones((2, 0, D)))
    else:
        assert_all(model(jnp.ones((2, 0, D))), 0)


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (0, 0)])
def test_models_of_every_step(shape):
    steps, rows = shape
    model = SequenceModel(D, 4, SequenceModelConfig("gru", H), rngs=nnx.Rngs(0))
    assert model(jnp.ones((rows, steps, D)))[1].shape == (rows, steps, 4)
    np.testing.assert_array_equal(model.last(jnp.ones((rows, steps, D)))[1], np.zeros((rows, 4)))
    language = CharLM(5, CharLMConfig(2, H, 1), rngs=nnx.Rngs(0))
    ids = jnp.ones((rows, steps), jnp.int32)
    assert language(ids)[1].shape == (rows, steps, 5)
    assert language.log_probabilities(ids, ids)[1].shape == (rows, steps)
    graph, params = nnx.split(language)
    loss = jax.value_and_grad(lambda p: nnx.merge(graph, p).loss(ids, ids, jnp.ones(ids.shape))[1])
    assert_all(loss(params), 0)


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (0, 0), (1, 2), (0,)])
def test_penalties(shape):
    hs = jnp.ones((*shape, H))
    for mask in (None, jnp.ones(shape, bool)):
        assert regularize.temporal_activation_penalty(hs, mask=mask) == 0
        assert regularize.activation_penalty(hs, mask=mask) == (1 if math.prod(shape) else 0)


def test_a_sampler_of_no_rows():
    def next_logits(params, state, ids):
        return state + 1, params[ids]

    state, ids = jnp.zeros(0), np.zeros((0, 3), np.int32)
    given = {"key": jax.random.key(0), "max_length": 4, "eos_id": 0, "top_k": 2, "top_p": 0.5}
    table, lengths = jnp.zeros((5, 5)), np.zeros(0, np.int32)
    drawn = sampling.sample(next_logits, table, state, ids, lengths, **given)
    assert drawn.shape == (0, 4)


def test_diagnostics_of_no_rows_and_of_no_inputs():
    params = lj.init_lstm(jax.random.key(0), D, H)
    zeros = lj.LSTMState(jnp.zeros((0, H)), jnp.zeros((0, H)))
    _, found = adjoints(
        lj.lstm_step, params, jnp.ones((3, 0, D)), zeros, lambda states: states.h.sum()
    )
    assert_all(norms_by_lag(found), 0)
    assert norms_by_lag(found, per="sequence").h.shape == (4, 0)

    def move(params, state, x):
        del x
        return params @ state

    halved, nothing = 0.5 * jnp.eye(2), jnp.ones((6, 0))
    spectrum = lyapunov_spectrum(move, halved, nothing, jnp.ones(2), qr_every=2)
    np.testing.assert_allclose(spectrum.exponents, math.log(0.5), rtol=1e-5)
