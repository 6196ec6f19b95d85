"""Perplexity is what each text alone is worth, however the texts are packed."""

import math

import numpy as np
import pytest
from flax import nnx

from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.language import LanguageModel
from lstm_jax.train.tasks.text.score import Score, score_texts

TEXTS = ["abcab", "c", "", "bbacb?a", "aab", "cab!c", "ba"]


@pytest.fixture(scope="module")
def model():
    vocabulary = Vocabulary(("a", "b", "c"))
    config = CharLMConfig(4, 5, 1, output_dropout=0.9)  # scoring is without dropout
    return LanguageModel(CharLM(len(vocabulary), config, rngs=nnx.Rngs(3)), vocabulary, {})


@pytest.fixture(scope="module")
def expected(model):
    return -sum(float(model.score(text).sum(dtype=np.float64)) for text in TEXTS)


@pytest.mark.parametrize(("rows", "length"), [(3, 4), (1, 64), (48, 3)])
def test_the_score_is_the_sum_over_texts_whatever_the_packing(model, expected, rows, length):
    score = score_texts(model, TEXTS, rows=rows, length=length)
    assert score.nats == pytest.approx(expected, rel=2e-6)
    assert score.symbols == sum(len(text) + 1 for text in TEXTS)


def test_unknown_characters_are_counted(model):
    assert score_texts(model, TEXTS, rows=3, length=4).unknown == 2
    assert score_texts(model, ["abc"] * 3, rows=3, length=4).unknown == 0


def test_progress_sees_every_window(model):
    seen = []
    score_texts(model, TEXTS, rows=3, length=4, progress=lambda i: (seen.append(n) or n for n in i))
    assert seen == list(range(len(seen)))
    assert len(seen) >= 3


def test_no_texts_are_refused(model):
    with pytest.raises(ValueError, match="no texts"):
        score_texts(model, [])


def test_perplexity_is_the_exponential_of_the_mean():
    score = Score(nats=6 * math.log(7), symbols=6)
    assert score.nats_per_symbol == pytest.approx(math.log(7))
    assert score.perplexity == pytest.approx(7)


def test_the_perplexity_of_a_model_that_diverged_is_infinite_or_nan():
    assert Score(nats=1e6, symbols=1).perplexity == math.inf
    assert Score(nats=math.inf, symbols=1).perplexity == math.inf
    assert math.isnan(Score(nats=math.nan, symbols=1).perplexity)
