"""Kneser-Ney by sorted arrays is what it is by dictionaries, and a distribution."""

import numpy as np
import pytest
from oracles.kneser_ney import KneserNey

from lstm_jax.train.tasks.text.ngram import count, mean_nats

END = 0


def some_texts(rng, size, number, longest):
    return [rng.integers(1, size, rng.integers(0, longest)).astype(np.int32) for _ in range(number)]


def places(text, ends):
    """`(symbol, those before it)` for every symbol that is predicted."""
    symbols = [END, *text.tolist(), *([END] if ends else [])]
    return [(symbols[i], symbols[:i]) for i in range(1, len(symbols))]


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_it_is_what_the_paper_says(order, ends):
    rng = np.random.default_rng(order)
    for size in (3, 4, 6):
        trained, others = some_texts(rng, size, 25, 20), some_texts(rng, size, 8, 20)
        found = count(trained, size=size, end_id=END, ends=ends, order=order)
        texts = [text.tolist() for text in trained]
        expected = KneserNey(texts, size, END, ends=ends, order=order)
        wanted = [expected.probability(*place) for text in others for place in places(text, ends)]
        np.testing.assert_allclose(found.probabilities(others), wanted, rtol=1e-12)


def test_discounts_of_both_kinds_were_met():
    rng = np.random.default_rng(5)
    trained = [text.tolist() for text in some_texts(rng, 6, 25, 20)]
    found = KneserNey(trained, 6, END, ends=True, order=5).discounts[1:]
    assert [0, 0.5, 1.0, 1.5] in found
    assert any(taken != [0, 0.5, 1.0, 1.5] for taken in found)


@pytest.mark.parametrize("before", [[], [1], [1, 2, 3, 1], [4], [4, 4, 4, 4, 4]])
def test_the_probabilities_of_all_symbols_sum_to_one(before):
    """After what was read, and after 4, which never was."""
    rng = np.random.default_rng(1)
    found = count(some_texts(rng, 4, 30, 15), size=5, end_id=END)
    texts = [np.array([*before, symbol], np.int32) for symbol in range(1, 5)]
    each = [found.probabilities([text])[len(before)] for text in texts]
    at_the_end = found.probabilities([np.array(before, np.int32)])[-1]
    assert sum(each) + at_the_end == pytest.approx(1, abs=1e-12)
    assert min(*each, at_the_end) > 0


def test_what_repeats_is_foreseen_by_five_grams_and_not_by_unigrams():
    text = np.array([1, 2, 3, 4, 1, 3] * 40, np.int32)
    nats = {
        order: mean_nats([text[:180]], [text[180:]], size=6, end_id=END, ends=False, order=order)
        for order in (1, 5)
    }
    assert nats[5] < 0.1
    assert nats[1] == pytest.approx(-sum(p * np.log(p) for p in (1 / 3, 1 / 6, 1 / 3, 1 / 6)), 0.03)


def test_texts_of_nothing_give_the_ends_alone():
    empty = np.zeros(0, np.int32)
    found = count([empty, empty], size=3, end_id=END)
    assert found.probabilities([empty]).shape == (1,)
    assert found.probabilities([]).shape == (0,)
