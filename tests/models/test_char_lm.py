"""The character model matches its formula, the full softmax and the state of the text."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lstm_jax
from lstm_jax.models.losses import logits_of

pytestmark = pytest.mark.usefixtures("compile_fast")
B, T, V, E, H = 2, 6, 11, 4, 5
CONFIG = lstm_jax.CharLMConfig(embedding_features=E, hidden_features=H, num_layers=2)
DROPOUT = lstm_jax.CharLMConfig(E, H, 2, 0.3, 0.3, 0.3)

IDS = jnp.asarray(np.random.default_rng(0).integers(0, V, (B, T)))
TARGETS = jnp.asarray(np.random.default_rng(1).integers(0, V, (B, T)))
WEIGHTS = jnp.asarray(np.random.default_rng(2).uniform(0.2, 2, (B, T)).astype(np.float32))


def quick_key(seed):
    """A key whose generator compiles faster than the default one."""
    return jax.random.key(seed, impl="rbg")


def make(config=CONFIG, seed=0):
    """A model whose arrays are all random, including biases."""
    model = lstm_jax.CharLM(V, config, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(seed)
    state = nnx.state(model)
    nnx.update(
        model, jax.tree.map(lambda a: jnp.asarray(0.6 * rng.normal(size=a.shape), a.dtype), state)
    )
    return model


def assert_trees_close(actual, expected, rtol=1e-4, atol=1e-5):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logits_by_hand(model, ids):
    """The docstring's formula for one text, in float64 and loops."""
    embedding, projection, bias = (
        np.asarray(p[...], np.float64)
        for p in (model.embedding, model.projection, model.output_bias)
    )
    states = [(np.zeros(H), np.zeros(H)) for _ in model.lstm.layers]
    rows = []
    for one in np.asarray(ids):
        x, given = embedding[one], []
        for index, params in enumerate(model.lstm.params):
            reads = x
            if model.config.connections == "skip" and index:
                reads = x = np.concatenate([embedding[one], x])
            h, c = states[index]
            p = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
            z = x @ p.input_kernel + h @ p.recurrent_kernel + p.bias
            i, f, g, o = np.split(z, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            states[index] = (h, c)
            x = h + reads if model.config.connections == "residual" and index else h
            given.append(x)
        x = np.concatenate(given) if model.config.connections == "skip" else x
        rows.append((x @ projection) @ embedding.T + bias)
    return np.array(rows)


@pytest.mark.parametrize("connections", ["residual", "skip"])
def test_connections_are_those_of_the_layers(connections):
    model = make(replace(CONFIG, num_layers=3, connections=connections))
    _, logits = model(IDS)
    np.testing.assert_allclose(logits[0], logits_by_hand(model, IDS[0]), rtol=1e-4, atol=1e-4)


def test_weights_are_dropped_in_the_recurrent_kernels_alone():
    model = make(replace(CONFIG, weight_dropout=0.5))
    plain = model.loss(IDS, TARGETS, WEIGHTS)[1]
    assert plain == make().loss(IDS, TARGETS, WEIGHTS)[1]
    noisy = [model.loss(IDS, TARGETS, WEIGHTS, key=quick_key(seed))[1] for seed in (1, 1, 2)]
    assert noisy[0] == noisy[1] != noisy[2]
    assert noisy[0] != plain
    for layer in model.lstm.layers:
        layer.recurrent_kernel[...] = jnp.zeros_like(layer.recurrent_kernel[...])
    same = model.loss(IDS, TARGETS, WEIGHTS, key=quick_key(1))[1]
    np.testing.assert_allclose(same, model.loss(IDS, TARGETS, WEIGHTS)[1], rtol=1e-6)


def naive_loss(model, ids, targets, weights):
    log_probabilities = jax.nn.log_softmax(model(ids)[1])
    chosen = jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]
    return -(weights * chosen).sum()


class Pass(nnx.Module):
    """Replace the LSTM, and return its inputs."""

    def __call__(self, xs, state, **options):
        return state, xs


def probe(**rates):
    """A model whose features are ones, except for the dropout around the LSTM."""
    width = 64
    model = lstm_jax.CharLM(V, lstm_jax.CharLMConfig(width, width, 1, **rates), rngs=nnx.Rngs(0))
    model.lstm = Pass()
    model.embedding[...] = jnp.ones((V, width))
    model.projection[...] = jnp.eye(width)
    return np.asarray(model.features(IDS, key=quick_key(0))[1])


# --- values --------------------------------------------------------------------------------------


def test_logits_are_the_formula():
    model = make()
    state, logits = model(IDS)
    assert logits.shape == (B, T, V)
    assert [type(one) for one in state] == [lstm_jax.LSTMState] * 2
    for row in range(B):
        np.testing.assert_allclose(
            logits[row], logits_by_hand(model, IDS[row]), rtol=1e-4, atol=1e-5
        )


def test_log_probabilities_and_loss_are_those_of_the_full_softmax():
    model = make()
    scores = model.log_probabilities(IDS, TARGETS)[1]
    state, logits = model(IDS)
    expected = jax.nn.log_softmax(logits)
    for row, t in np.ndindex(B, T):
        assert scores[row, t] == pytest.approx(float(expected[row, t, TARGETS[row, t]]), rel=1e-4)
    end, total = model.loss(IDS, TARGETS, WEIGHTS)
    assert total == pytest.approx(float(-(WEIGHTS * scores).sum()), rel=1e-5)
    assert_trees_close(end, state)


def test_the_gradient_of_the_loss_is_that_of_the_full_softmax():
    graph, params = nnx.split(make())

    def loss(params):
        return nnx.merge(graph, params).loss(IDS, TARGETS, WEIGHTS)[1]

    def naive(params):
        return naive_loss(nnx.merge(graph, params), IDS, TARGETS, WEIGHTS)

    value, actual = jax.jit(jax.value_and_grad(loss))(params)
    expected_value, expected = jax.jit(jax.value_and_grad(naive))(params)
    assert value == pytest.approx(float(expected_value), rel=1e-5)
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(actual))
    assert_trees_close(actual, expected)


def test_the_embedding_gets_the_gradients_of_both_its_roles():
    model = make()
    graph, params = nnx.split(model)

    def untied(read, written):
        hs = model.lstm(read[IDS])[1] @ model.projection[...]
        scores = jax.nn.log_softmax(logits_of(hs, written, model.output_bias[...]))
        return -(WEIGHTS * jnp.take_along_axis(scores, TARGETS[..., None], -1)[..., 0]).sum()

    def tied(params):
        return nnx.merge(graph, params).loss(IDS, TARGETS, WEIGHTS)[1]

    embedding = model.embedding[...]
    reading, writing = jax.jit(jax.grad(untied, argnums=(0, 1)))(embedding, embedding)
    both = nnx.merge(graph, jax.jit(jax.grad(tied))(params)).embedding[...]
    assert jnp.abs(reading).max() > 1e-3
    assert jnp.abs(writing).max() > 1e-3
    np.testing.assert_allclose(both, reading + writing, rtol=1e-4, atol=1e-5)


def test_weights_of_zero_leave_steps_out():
    model = make()
    weights = WEIGHTS.at[:, 3:].set(0)
    loss = jax.jit(lambda ids, targets, weights: model.loss(ids, targets, weights)[1])
    one = loss(IDS, TARGETS, weights)
    other = loss(IDS.at[:, 3:].set(0), TARGETS.at[:, 3:].set(1), weights)
    np.testing.assert_allclose(one, other, rtol=1e-6)


# --- state ---------------------------------------------------------------------------------------


def test_step_by_step_is_the_whole():
    model = make()
    step = jax.jit(model.step)
    state, expected = model(IDS)
    one = model.initial_state(B)
    for t in range(T):
        one, logits = step(one, IDS[:, t])
        assert logits.shape == (B, V)
        np.testing.assert_allclose(logits, expected[:, t], rtol=1e-4, atol=1e-5)
    assert_trees_close(one, state)


def test_texts_packed_with_resets_and_carried_states_are_separate_texts():
    model = make()
    texts = [IDS[0, :4], IDS[1, :5], IDS[0, 3:6]]
    ids = jnp.concatenate(texts)[None]
    resets = jnp.zeros((1, 12), bool).at[0, jnp.array([0, 4, 9])].set(True)
    # A window's end falls into the second text.
    window = jax.jit(lambda ids, state, resets: model(ids, state, resets=resets))
    middle, first = window(ids[:, :6], jax.tree.map(jnp.ones_like, model.initial_state(1)),
                           resets[:, :6])  # fmt: skip
    _, second = window(ids[:, 6:], middle, resets[:, 6:])
    expected = np.concatenate([logits_by_hand(model, text) for text in texts])
    np.testing.assert_allclose(
        jnp.concatenate([first, second], axis=1)[0], expected, rtol=1e-4, atol=1e-5
    )


def test_lengths_stop_the_state():
    model = make()
    state, _ = model(IDS, lengths=jnp.array([4, 4]))
    _, logits = model.step(state, IDS[:, 4])
    expected = [logits_by_hand(model, IDS[row, :5])[-1] for row in range(B)]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


# --- dropout -------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["embedding_dropout", "layer_dropout", "output_dropout"])
def test_each_dropout_needs_a_key(place):
    model = make(lstm_jax.CharLMConfig(E, H, 2, **{place: 0.5}))
    run = jax.jit(lambda key: model(IDS, key=key)[1])
    without = run(None)
    one, again, other = (run(quick_key(seed)) for seed in (1, 1, 2))
    np.testing.assert_allclose(without[0], logits_by_hand(model, IDS[0]), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, without)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("place", ["embedding_dropout", "output_dropout"])
def test_only_a_variational_mask_is_constant_in_time(place):
    constant = probe(**{place: 0.5}, variational=True)
    assert set(np.unique(constant)) == {0, 2}
    assert np.ptp(constant, axis=1).max() == 0
    assert np.ptp(constant, axis=0).max() == 2
    assert np.ptp(probe(**{place: 0.5}), axis=1).mean() > 1


def test_the_masks_before_and_after_the_lstm_differ():
    both = probe(embedding_dropout=0.5, output_dropout=0.5)
    assert set(np.unique(both)) == {0, 4}
    assert 0.15 < (both > 0).mean() < 0.35  # a quarter; a mask used twice would keep half


def test_the_configuration_reaches_the_layers():
    config = lstm_jax.CharLMConfig(E, H, 3, layer_dropout=0.25, variational=True)
    model = lstm_jax.CharLM(V, config, rngs=nnx.Rngs(0))
    noise = model.lstm.noise
    assert (model.lstm.num_layers, noise.dropout, noise.variational) == (3, 0.25, True)
    assert model.vocabulary_size == V
    assert model.config == config


# --- transformations, with no nnx.jit ------------------------------------------------------------


def test_jit_grad_and_vmap_over_an_ensemble_with_dropout():
    models = [make(DROPOUT, seed) for seed in (0, 1)]
    graph, _ = nnx.split(models[0])
    states = [nnx.split(model)[1] for model in models]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    key = quick_key(0)

    def loss(params):
        return nnx.merge(graph, params).loss(IDS, TARGETS, WEIGHTS, key=key)[1]

    one = jax.jit(jax.value_and_grad(loss))
    losses, grads = jax.jit(jax.vmap(one))(stacked)
    for index, state in enumerate(states):
        value, expected = one(state)
        assert losses[index] == pytest.approx(float(value), rel=1e-5)
        assert_trees_close(jax.tree.map(lambda leaf, index=index: leaf[index], grads), expected)


def test_vmap_over_inputs():
    model = make()
    run = jax.jit(lambda ids: model(ids)[1])
    many = jnp.stack([IDS, TARGETS])
    np.testing.assert_allclose(
        jax.jit(jax.vmap(run))(many), [run(IDS), run(TARGETS)], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_loss_gradient_and_step_lower_for(platform):
    model = make(DROPOUT)
    graph, params = nnx.split(model)

    def loss(params, ids, key):
        return nnx.merge(graph, params).loss(ids, TARGETS, WEIGHTS, key=key)[1]

    def step(params, state, ids):
        return nnx.merge(graph, params).step(state, ids)

    key = jax.random.key_data(jax.random.key(0))
    for function, arguments in (
        (jax.value_and_grad(loss), (params, IDS, key)),
        (step, (params, model.initial_state(B), IDS[:, 0])),
    ):
        exported = jax.export.export(jax.jit(function), platforms=[platform])(*arguments)
        assert exported.platforms == (platform,)


# --- parameters and errors -----------------------------------------------------------------------


def test_all_state_is_parameters():
    model = make(DROPOUT)
    leaves = jax.tree.leaves(nnx.state(model))
    assert len(leaves) == len(jax.tree.leaves(nnx.state(model, nnx.Param))) == 3 + 2 * 3
    assert sum(leaf.size for leaf in leaves) == (
        V * E + V + H * E + (E + H + 1) * 4 * H + (2 * H + 1) * 4 * H
    )


@pytest.mark.parametrize(
    "ids", [jnp.ones((B, T)), IDS[0], IDS[None], jnp.ones((B, T), bool)],
    ids=["float", "one axis", "three axes", "bool"],
)  # fmt: skip
def test_bad_ids_are_refused(ids):
    with pytest.raises(ValueError, match=r"ids must be integers \(B, T\)"):
        make()(ids)


def test_targets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="must agree"):
        make().log_probabilities(IDS, TARGETS[:, :-1])
    with pytest.raises(ValueError, match="weights"):
        make().loss(IDS, TARGETS, WEIGHTS[:, :-1])


@pytest.mark.parametrize("place", ["embedding_dropout", "layer_dropout", "output_dropout"])
def test_rates_are_checked_by_name(place):
    with pytest.raises(ValueError, match=rf"{place} must lie in \[0, 1\), got 1.0"):
        lstm_jax.CharLM(V, lstm_jax.CharLMConfig(E, H, **{place: 1.0}), rngs=nnx.Rngs(0))
