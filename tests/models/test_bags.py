"""Words are read by their spelling too: bags of ids, and the embeddings that are made of them."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lstm_jax.models.bags import MOST, SpelledVocabulary, restored, spelled, stored
from lstm_jax.models.classifier import SequenceClassifier, SequenceClassifierConfig
from lstm_jax.models.vocabulary import Vocabulary

pytestmark = pytest.mark.usefixtures("compile_fast")
WORDS = ("good", "film", "\u660e\u6708")
SPELLED = SpelledVocabulary(WORDS, 50)
FIRST = len(WORDS) + 2


def ids_of(*grams):
    return [FIRST + zlib.crc32(gram.encode()) % 50 for gram in grams]


def test_a_word_has_its_own_id_and_those_of_its_ngrams():
    bags = SPELLED.encode(["good", "goo", "\u660e\u6708", "a"])
    assert bags.shape == (4, 1 + MOST)
    assert bags.dtype == np.int32
    lists = [bag[bag >= 0].tolist() for bag in bags]
    assert lists[0] == [2, *ids_of(
        "<go", "goo", "ood", "od>", "<goo", "good", "ood>", "<good", "good>"
    )]  # fmt: skip
    assert lists[1] == [1, *ids_of("<go", "goo", "oo>", "<goo", "goo>", "<goo>")]
    assert lists[2] == [4, *ids_of("<\u660e\u6708", "\u660e\u6708>", "<\u660e\u6708>")]
    assert lists[3] == [1, *ids_of("<a>")]
    # Nothing but -1 follows the last id.
    assert [len(each) for each in lists] == [int((bag != -1).argmin()) or 25 for bag in bags]


def test_an_ngram_counts_once_and_a_long_word_is_cut():
    bag = SPELLED.encode(["lalala"])[0]
    assert bag[bag >= 0].tolist() == [1, *ids_of(
        "<la", "lal", "ala", "la>", "<lal", "lala", "alal", "ala>", "<lala", "lalal", "alala",
        "lala>",
    )]  # fmt: skip
    assert (SPELLED.encode(["incomprehensibilities"]) >= 0).all()
    assert SPELLED.encode([]).shape == (0, 1 + MOST)


def test_it_is_stored_and_restored():
    for vocabulary in (SPELLED, Vocabulary(WORDS), spelled(Vocabulary(WORDS), 0)):
        again = restored(stored(vocabulary))
        assert type(again) is type(vocabulary)
        assert again == vocabulary
        assert len(again) == len(vocabulary)
    assert (len(SPELLED), len(Vocabulary(WORDS))) == (FIRST + 50, FIRST)
    digests = {v.digest for v in (SPELLED, Vocabulary(WORDS), spelled(Vocabulary(WORDS), 51))}
    assert len(digests) == 3
    assert SPELLED.known(["film", "films"]).tolist() == [True, False]
    with pytest.raises(ValueError, match="grams must be at least 1, got -3"):
        SpelledVocabulary(WORDS, -3)


def make(**options):
    config = SequenceClassifierConfig(3, 4, **options)
    return SequenceClassifier(2, config, vocabulary_size=len(SPELLED), rngs=nnx.Rngs(0))


def test_the_embedding_of_a_word_is_the_sum_over_its_ids_by_the_root_of_their_number():
    model, bags = make(), SPELLED.encode(["good", "unseen", "film"])
    table = np.asarray(model.embedding[...])
    expected = [table[bag[bag >= 0]].sum(0) / np.sqrt((bag >= 0).sum()) for bag in bags]
    np.testing.assert_allclose(model.embed(jnp.asarray(bags)[None])[0], expected, rtol=1e-5)
    # A bag of one id is that id; padding has no id at all.
    one = jnp.asarray([[[7, -1, -1], [-1, -1, -1]]])
    np.testing.assert_array_equal(model.embed(one)[0], [table[7], np.zeros(3)])

    graph, params = nnx.split(model)

    def loss(params):
        return (nnx.merge(graph, params).embed(jnp.asarray(bags)[None]) ** 2).sum() / 2

    gradient = np.asarray(jax.grad(loss)(params)["embedding"][...])
    by_hand = np.zeros_like(table)
    for bag, vector in zip(bags, expected, strict=True):
        for index in bag[bag >= 0]:
            by_hand[index] += vector / np.sqrt((bag >= 0).sum())
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-4, atol=1e-6)


def test_a_dropped_word_keeps_its_ngrams():
    bags = jnp.asarray(SPELLED.encode(["good"] * 40))[None]
    dropped, kept = make(word_dropout=0.5), make()
    logits = dropped(bags, key=jax.random.key(3))
    flags = jax.random.bernoulli(jax.random.split(jax.random.key(3), 4)[0], 0.5, (1, 40))
    assert 5 < flags.sum() < 35
    unknown = bags.at[..., 0].set(jnp.where(flags, Vocabulary.unknown_id, bags[..., 0]))
    np.testing.assert_allclose(logits, kept(unknown), rtol=1e-5)
    np.testing.assert_array_equal(dropped(bags), kept(bags))
