"""An update equals the same step by hand, with plain softmax, plain equations, plain AdamW."""

from contextlib import contextmanager
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax import monitoring

from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.train.config import OptimizerConfig
from lstm_jax.train.data.text import epoch_order, pack
from lstm_jax.train.run.state import TrainState, make_optimizer, make_state
from lstm_jax.train.run.update import make_update
from lstm_jax.train.tasks.text.score import evaluate, make_scorer
from lstm_jax.train.tasks.text.task import window_loss

V, ROWS, LENGTH = 7, 2, 5
CONFIG = CharLMConfig(embedding_features=4, hidden_features=5, num_layers=2)
OPTIMIZER = OptimizerConfig(
    learning_rate=0.05, warmup_steps=2, weight_decay=0.3, clip_norm=0.495, final_fraction=0.1
)
TOTAL = 8

# The reference: float32, every symbol's logits, no scan, no chunks, no resets within a text.


def sigmoid(x):
    return 1 / (1 + jnp.exp(-x))


def lstm_layer(layer, x, h, c):
    z = x @ layer["input_kernel"] + h @ layer["recurrent_kernel"] + layer["bias"]
    i, f, g, o = jnp.split(z, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    return sigmoid(o) * jnp.tanh(c), c


def nats_of_window(params, carry, inputs, targets, resets, weights):
    total, layers = 0.0, params["lstm"]["layers"]
    for t in range(inputs.shape[1]):
        below, new = params["embedding"][inputs[:, t]], []
        for index, (h, c) in enumerate(carry):
            keep = ~resets[:, t, None]
            h, c = lstm_layer(layers[index], below, keep * h, keep * c)
            new.append((h, c))
            below = h
        carry = new
        logits = below @ params["projection"] @ params["embedding"].T + params["output_bias"]
        log_p = logits - jnp.log(jnp.exp(logits).sum(-1, keepdims=True))
        total -= (weights[:, t] * log_p[jnp.arange(len(log_p)), targets[:, t]]).sum()
    return total, carry


def mean_of_window(params, carry, window):
    nats, carry = nats_of_window(params, carry, *window[:4])
    return nats / window.weights.sum(), (nats, carry)


plain_gradient = jax.jit(jax.value_and_grad(mean_of_window, has_aux=True))


@jax.jit
def untruncated_gradient(params, carry, before, window):
    def loss(params):
        _, (_, reached) = mean_of_window(params, carry, before)
        return mean_of_window(params, reached, window)[0]

    return jax.grad(loss)(params)


class AdamW:
    """Apply Algorithm 2 of Loshchilov & Hutter (2019) after clipping, in float64."""

    def __init__(self, config):
        self.config, self.t, self.m, self.v = config, 0, None, None

    def learning_rate(self):
        config, step = self.config, self.t - 1
        if step < config.warmup_steps:
            return config.learning_rate * step / config.warmup_steps
        done = (step - config.warmup_steps) / (TOTAL - config.warmup_steps)
        cosine = (1 + np.cos(np.pi * done)) / 2
        least = config.final_fraction
        return config.learning_rate * (least + (1 - least) * cosine)

    def step(self, params, gradients):
        config = self.config
        self.t += 1
        gradients = jax.tree.map(lambda g: np.asarray(g, np.float64), gradients)
        norm = np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradients)))
        gradients = jax.tree.map(lambda g: g * min(1, config.clip_norm / norm), gradients)
        if self.m is None:
            self.m = self.v = jax.tree.map(np.zeros_like, gradients)
        self.m = jax.tree.map(lambda m, g: config.b1 * m + (1 - config.b1) * g, self.m, gradients)
        self.v = jax.tree.map(
            lambda v, g: config.b2 * v + (1 - config.b2) * g * g, self.v, gradients
        )

        def new(p, m, v):
            p = np.asarray(p, np.float64)
            direction = m / (1 - config.b1**self.t)
            direction = direction / (np.sqrt(v / (1 - config.b2**self.t)) + 1e-8)
            decay = config.weight_decay * p if p.ndim > 1 else 0
            return (p - self.learning_rate() * (direction + decay)).astype(np.float32)

        return jax.tree.map(new, params, self.m, self.v), norm


def plain(params):
    return jax.tree.map(np.asarray, nnx.to_pure_dict(params))


def plain_carry(carry):
    return [tuple(np.asarray(part) for part in layer) for layer in carry]


def assert_close(actual, expected, tolerance):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance),
        actual,
        expected,
    )


# What the tests share, so that each program is compiled once.

recorder = optax.GradientTransformation(
    init=lambda params: jax.tree.map(jnp.zeros_like, params),
    update=lambda gradients, _, params: (jax.tree.map(jnp.zeros_like, params), gradients),
)
"""An optimizer that does not change the parameters, and keeps the gradient in its state."""


def make_texts(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(2, V, size).astype(np.int32) for size in sizes]


def fresh_model(**changes):
    config = CharLMConfig(**{**vars(CONFIG), **changes})
    model = CharLM(V, config, rngs=nnx.Rngs(1))
    # The initial biases are constants: a test would not see them confused.
    biases = np.random.default_rng(2).normal(size=V).astype(np.float32)
    model.output_bias[...] = jnp.asarray(biases)
    return model


@pytest.fixture(scope="module")
def problem():
    model = fresh_model()
    texts = make_texts([7, 3, 11, 0, 5, 6, 2, 1])
    packed = pack(texts, rows=ROWS, length=LENGTH, end_id=0)
    optimizer, _ = make_optimizer(OPTIMIZER, TOTAL)
    return SimpleNamespace(
        model=model,
        texts=texts,
        packed=packed,
        windows=packed.windows(),
        optimizer=optimizer,
        update=make_update(window_loss, model, optimizer, seed=0),
        record=make_update(window_loss, model, recorder, seed=0),
        scorer=make_scorer(model),
    )


def test_an_update_is_the_step_by_hand(problem):
    state = make_state(problem.model, problem.optimizer, problem.model.initial_state(ROWS))
    params, carry, adamw = plain(state.params), plain_carry(state.carry), AdamW(OPTIMIZER)
    norms = []
    for index, window in enumerate(problem.windows):
        state, metrics = problem.update(state, window)
        (_, (nats, carry)), gradients = plain_gradient(params, carry, window)
        params, norm = adamw.step(params, gradients)
        norms.append(norm)
        assert int(state.step) == index + 1
        np.testing.assert_allclose(metrics.total, nats, rtol=2e-6)
        np.testing.assert_allclose(metrics.grad_norm, norm, rtol=2e-5)
        assert metrics.count == window.weights.sum()
        assert_close(plain(state.params), params, 5e-6)
        assert_close(plain_carry(state.carry), plain_carry(carry), 5e-6)
    assert len(norms) >= 4
    assert min(norms) < OPTIMIZER.clip_norm < max(norms), "clipping must be seen on and off"


def test_the_state_is_carried_over_windows_and_reset_where_a_text_begins(problem):
    state = make_state(problem.model, recorder, problem.model.initial_state(ROWS))
    total = 0.0
    for window in problem.windows:
        state, metrics = problem.record(state, window)
        total += float(metrics.total)
    params = plain(state.params)
    # Each text alone: in a row of its own, from zeros, without windows and without a reset.
    shape = len(problem.texts), 12
    inputs, targets = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    weights = np.zeros(shape, np.float32)
    for row, text in enumerate(problem.texts):
        inputs[row, 1 : len(text) + 1] = targets[row, : len(text)] = text
        weights[row, : len(text) + 1] = 1
    zeros = np.zeros((len(problem.texts), CONFIG.hidden_features), np.float32)
    carry = [(zeros, zeros)] * CONFIG.num_layers
    never = np.zeros(shape, bool)
    alone, _ = jax.jit(nats_of_window)(params, carry, inputs, targets, never, weights)
    assert total == pytest.approx(float(alone), rel=3e-6)
    assert problem.packed.symbols == sum(len(text) + 1 for text in problem.texts)


def test_the_gradient_stops_where_the_window_begins(problem):
    start = make_state(problem.model, recorder, problem.model.initial_state(ROWS))
    params, zeros = plain(start.params), plain_carry(start.carry)
    state, _ = problem.record(start, problem.windows[0])
    reached = plain_carry(state.carry)
    state, _ = problem.record(state, problem.windows[1])
    recorded = plain(state.opt_state)
    _, truncated = plain_gradient(params, reached, problem.windows[1])
    assert_close(recorded, jax.tree.map(np.asarray, truncated), 2e-6)
    whole = untruncated_gradient(params, zeros, problem.windows[0], problem.windows[1])
    kernel = ("lstm", "layers", 0, "recurrent_kernel")
    difference = np.abs(at(whole, kernel) - at(recorded, kernel)).max()
    assert difference > 1e-4, "the two gradients must differ for this to be a test"


def at(tree, path):
    for name in path:
        tree = tree[name]
    return np.asarray(tree)


def test_dropout_masks_are_new_at_every_step_and_the_same_when_it_is_repeated():
    model = fresh_model(num_layers=1, output_dropout=0.5)
    window = pack(make_texts([9, 9]), rows=ROWS, length=LENGTH, end_id=0).windows()[0]

    update = make_update(window_loss, model, recorder, seed=0)

    def nats(step):
        state = make_state(model, recorder, model.initial_state(ROWS))._replace(
            step=jnp.int32(step)
        )
        return float(update(state, window)[1].total)

    assert nats(3) == nats(3)
    assert len({nats(3), nats(4), nats(5)}) == 3


def test_the_learning_rate_warms_up_and_falls_along_a_cosine():
    config = OptimizerConfig(learning_rate=0.8, warmup_steps=10, final_fraction=0.25)
    _, schedule = make_optimizer(config, 50)
    expected = {0: 0.0, 1: 0.08, 5: 0.4, 10: 0.8, 30: 0.5, 50: 0.2, 60: 0.2}
    for step, rate in expected.items():
        assert float(schedule(step)) == pytest.approx(rate, rel=1e-6, abs=1e-9), step


def test_without_warm_up_the_first_step_has_the_peak():
    config = OptimizerConfig(learning_rate=0.8, warmup_steps=0, final_fraction=0.0)
    _, schedule = make_optimizer(config, 50)
    assert [float(schedule(step)) for step in (0, 25, 50)] == pytest.approx([0.8, 0.4, 0.0])


@pytest.mark.parametrize("total", [1, 2, 5])
def test_a_run_shorter_than_its_warm_up_still_reaches_the_peak(total):
    config = OptimizerConfig(learning_rate=0.8, warmup_steps=200)
    _, schedule = make_optimizer(config, total)
    rates = [float(schedule(step)) for step in range(total)]
    assert np.isfinite(rates).all()
    assert max(rates) == pytest.approx(0.8)


def test_weight_decay_is_on_matrices_only():
    config = OptimizerConfig(learning_rate=0.1, warmup_steps=0, weight_decay=0.5)
    optimizer, _ = make_optimizer(config, 10)
    params = {"kernel": jnp.full((2, 3), 4.0), "bias": jnp.full(3, 4.0)}
    none = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(none, optimizer.init(params), params)
    np.testing.assert_allclose(updates["kernel"], -0.1 * 0.5 * 4.0, rtol=1e-6)
    np.testing.assert_array_equal(updates["bias"], 0)


@contextmanager
def compilations():
    """Return a list that grows by one with each program that XLA compiles."""
    found = []

    def note(event, seconds, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    monitoring.register_event_duration_secs_listener(note)
    try:
        yield found
    finally:
        monitoring.unregister_event_duration_listener(note)


def test_nothing_is_compiled_after_the_first_window(problem):
    def epoch(state, number):
        order = epoch_order(0, number, len(problem.texts))
        packed = pack(problem.texts, rows=ROWS, length=LENGTH, end_id=0, order=order)
        for window in packed.windows():
            state, _ = problem.update(state, window)
        score = evaluate(problem.scorer, state.params, empty, problem.packed)
        return state, score.nats_per_symbol

    empty = problem.model.initial_state(ROWS)
    with compilations() as found:
        jax.jit(lambda x: x + 1)(1.0)
        assert found, "the listener must see compilations for this to be a test"
        # The first window of each program, and what a fresh state is made of.
        state = make_state(problem.model, problem.optimizer, problem.model.initial_state(ROWS))
        state, _ = problem.update(state, problem.windows[0])
        problem.scorer(state.params, empty, problem.windows[0])
        found.clear()
        state, first = epoch(state, 0)
        state, second = epoch(state, 1)
    assert found == []
    assert problem.update._cache_size() == problem.scorer._cache_size() == 1
    assert second < first


def test_the_state_is_donated(problem):
    old = make_state(problem.model, problem.optimizer, problem.model.initial_state(ROWS))
    new, _ = problem.update(old, problem.windows[0])
    assert isinstance(new, TrainState)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(old))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(new))
    # The model that the state was copied from is still whole.
    assert not problem.model.embedding[...].is_deleted()
