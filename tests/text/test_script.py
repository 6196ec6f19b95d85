"""A model of one Chinese script is asked in the other."""

import numpy as np
import pytest
from flax import nnx

from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.script import in_known_script

TRADITIONAL, SIMPLIFIED = "白日依山盡雲", "白日依山尽云"


def model_of(characters):
    vocabulary = Vocabulary(tuple(characters))
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0))
    return LanguageModel(network, vocabulary, {})


def test_a_text_is_written_as_it_is_known():
    def unknown_to(known):
        return lambda text: "".join(c for c in text if c not in known)

    assert in_known_script(SIMPLIFIED, unknown_to(TRADITIONAL)) == TRADITIONAL
    assert in_known_script(TRADITIONAL, unknown_to(SIMPLIFIED)) == SIMPLIFIED
    assert in_known_script("云", unknown_to("云雲")) == "云"  # what is known is left alone
    assert in_known_script("尽x", unknown_to(TRADITIONAL)) == "盡x"
    assert in_known_script("尽\udce4", unknown_to(TRADITIONAL)) == "尽\udce4"
    assert in_known_script("xyz", unknown_to(TRADITIONAL)) == "xyz"


@pytest.mark.parametrize(("known", "other"), [(TRADITIONAL, SIMPLIFIED), (SIMPLIFIED, TRADITIONAL)])
def test_everything_that_takes_a_text_takes_either_script(known, other):
    model = model_of(known)
    np.testing.assert_array_equal(model.score(other), model.score(known))
    assert model.next_characters(other) == model.next_characters(known)
    written = model.generate(other, seed=1, max_length=8)
    assert written == model.generate(known, seed=1, max_length=8)
    assert written[0].startswith(known)
    assert list(model.stream(other, seed=1, max_length=8)) == list(
        model.stream(known, seed=1, max_length=8)
    )
    np.testing.assert_array_equal(model.score("日", mood=other), model.score("日", mood=known))


def test_symbols_that_are_cut_already_and_words_stay():
    model = model_of(TRADITIONAL)
    unknown = model.score(list("尽"))
    np.testing.assert_array_equal(unknown, model.score("x"))
    assert model.score("尽")[0] == model.score("盡")[0] != unknown[0]
