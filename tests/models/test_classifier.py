"""A classifier reads only its valid steps, and pools them as configured."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lstm_jax.models import storage
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig

pytestmark = pytest.mark.usefixtures("compile_fast")
POOLINGS = ("max", "mean", "last", "attention")
IDS = np.arange(2, 8, dtype=np.int32)[None]
LENGTHS = np.array([5, 2, 0], np.int32)


def make(pooling="max", *, seed=0, vocabulary_size=None, **options):
    config = SequenceClassifierConfig(3, 4, pooling=pooling, **options)
    in_features = 3 if vocabulary_size is None else None
    return SequenceClassifier(
        2, config, vocabulary_size=vocabulary_size, in_features=in_features, rngs=nnx.Rngs(seed)
    )


def vectors(seed=0):
    return np.random.default_rng(seed).normal(size=(3, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_reaches_neither_the_logits_nor_the_gradient(pooling):
    graph, params = nnx.split(make(pooling))
    xs = vectors()
    spoilt = np.where(np.arange(5)[:, None] < LENGTHS[:, None, None], xs, np.nan)

    @jax.jit
    def judged(params, xs, lengths):
        def loss(params):
            logits = nnx.merge(graph, params)(xs, lengths)
            return (logits**2).sum(), logits

        return jax.grad(loss, has_aux=True)(params)

    gradient, logits = judged(params, xs, LENGTHS)
    for one, other in zip(
        jax.tree.leaves((gradient, logits)),
        jax.tree.leaves(judged(params, spoilt, LENGTHS)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()
    # A row does not depend on the other rows; an empty row yields the bias.
    np.testing.assert_allclose(judged(params, xs[[1, 1, 1]], LENGTHS)[1][1], logits[1], atol=1e-6)
    np.testing.assert_array_equal(logits[2], np.zeros(2))


@pytest.mark.parametrize("bidirectional", [True, False])
def test_pooling_matches_its_name(bidirectional):
    hs = np.random.default_rng(1).normal(size=(3, 5, 8)).astype(np.float32)
    rows = [hs[0], hs[1, :2]]

    def pool(pooling):
        model = make(pooling, bidirectional=bidirectional)
        found = model.pool(jnp.asarray(hs), LENGTHS)
        np.testing.assert_array_equal(found[2], np.zeros(8))
        return model, found[:2]

    np.testing.assert_allclose(pool("max")[1], [row.max(0) for row in rows])
    np.testing.assert_allclose(pool("mean")[1], [row.mean(0) for row in rows], rtol=1e-5)
    # Backward, the last step to be read is the first in time.
    ends = [np.r_[row[-1, :4], row[0, 4:]] if bidirectional else row[-1] for row in rows]
    np.testing.assert_array_equal(pool("last")[1], ends)


@pytest.mark.parametrize("options", [{}, {"bidirectional": False, "num_layers": 2}], ids=str)
def test_every_sequence_is_read_from_the_initial_state(options):
    model = make(**options)
    start = model.initial_state(3)
    assert len(start) == model.config.num_layers
    assert {leaf.shape for leaf in jax.tree.leaves(start)} == {(3, 4)}
    xs = jnp.asarray(vectors())
    _, hs = model.lstm(xs, start)
    np.testing.assert_allclose(model(xs), model.readout(model.pool(hs)), rtol=1e-5, atol=1e-6)


def test_attention_is_a_weighted_mean():
    model, hs = make("attention"), vectors(2) @ np.ones((3, 8), np.float32)
    scores = np.tanh(hs @ model.attention_kernel[...]) @ model.attention_vector[...]
    pooled = model.pool(jnp.asarray(hs), LENGTHS)
    for row, length in enumerate(LENGTHS[:2]):
        weights = np.exp(scores[row, :length]) / np.exp(scores[row, :length]).sum()
        np.testing.assert_allclose(pooled[row], (weights * hs[row, :length]).sum(0), rtol=1e-4)
    np.testing.assert_array_equal(pooled[2], np.zeros(8))


def test_a_key_turns_dropout_on():
    read = jax.jit(make(vocabulary_size=9, input_dropout=0.5, output_dropout=0.5).__call__)
    keys = jax.random.split(jax.random.key(0), 2)
    one, again, other = (read(IDS, key=key) for key in (keys[0], keys[0], keys[1]))
    assert (one == again).all()
    assert (one != other).any()
    assert (read(IDS) != one).any()


def test_a_dropped_word_is_read_as_unknown():
    model = make(vocabulary_size=9, word_dropout=0.999999)
    read = jax.jit(model.__call__)
    unknown = read(np.ones_like(IDS))
    np.testing.assert_allclose(read(IDS, key=jax.random.key(0)), unknown, rtol=1e-5)
    assert (read(IDS) != unknown).all()


def test_wrong_inputs_are_refused():
    config = SequenceClassifierConfig(3, 4)
    for sizes in ({}, {"vocabulary_size": 3, "in_features": 3}):
        with pytest.raises(ValueError, match="pass either vocabulary_size"):
            SequenceClassifier(2, config, **sizes, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"pooling must be one of max, .*, got 'sum'"):
        make("sum")
    with pytest.raises(ValueError, match=r"word_dropout must lie in \[0, 1\), got 1"):
        make(word_dropout=1)
    with pytest.raises(ValueError, match=r"ids \(B, T\) or \(B, T, S\), got float32\(3, 5, 3\)"):
        make(vocabulary_size=5)(vectors())
    with pytest.raises(ValueError, match=r"vectors \(B, T, D\), got int32\(2, 3\)"):
        make()(np.zeros((2, 3), np.int32))


@pytest.mark.parametrize(
    ("model", "own"),
    [
        (make("attention"), {"in_features": 3}),
        (make(vocabulary_size=4, bidirectional=False), {"vocabulary": ["good", "bad"]}),
        (make(vocabulary_size=9), {"vocabulary": ["good", "bad"], "grams": 5}),
    ],
)
def test_it_is_restored_from_its_files(model, own, tmp_path):
    storage.save(tmp_path, model, {"data": "toy"}, {"classes": ["no", "yes"], **own})
    stored = storage.load(tmp_path, "SequenceClassifier")
    xs = np.array([[2, 3, 1]], np.int32) if "vocabulary" in own else vectors()
    found, expected = (nnx.state(network, nnx.Param) for network in (stored.network, model))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    np.testing.assert_allclose(jax.jit(stored.network.__call__)(xs), model(xs), rtol=1e-5)
    assert stored.network.config == model.config


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_selects_before_it_adds(pooling):
    """Steps beyond the length of a row reach neither the pool nor any gradient."""
    graph, params = nnx.split(make(pooling))
    clean = np.random.default_rng(1).normal(size=(3, 5, 8)).astype(np.float32)
    inside = np.arange(5)[:, None] < LENGTHS[:, None, None]

    @jax.jit
    def of(params, hs):
        def loss(params, hs):
            return (nnx.merge(graph, params).pool(hs, LENGTHS) ** 2).sum()

        return jax.value_and_grad(loss, (0, 1))(params, hs)

    expected = of(params, np.where(inside, clean, 0))
    for bad in (np.nan, np.inf):
        found = of(params, np.where(inside, clean, np.float32(bad)))
        jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_pooling_accumulates_in_float32(pooling):
    """Ten thousand halves exceed a sum in bfloat16, and 70000 times 100 exceeds float16."""
    model = make(pooling)
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        found = model.pool(jnp.full((1, 70_000, 8), 100, dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(np.asarray(found, np.float32), 100, rtol=1e-2)
