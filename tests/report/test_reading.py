"""From texts to rows of one length, and what cannot be read."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.report import reading, streams
from lstm_jax.report.reading import ReportError, Settings

LETTERS = Vocabulary(tuple("abcdefgh"))
SHORT = Settings(steps=6, lags=3, burn_in=2)


def symbols(*texts, settings=SHORT):
    made = streams.make_streams(LETTERS, texts, settings)
    return ["".join(s or "|" for s in row) for row in made.symbols], made


def test_long_texts_are_cut_and_short_ones_joined():
    rows, made = symbols("abcdefgh", "abc", "de", "ab")
    assert rows == ["abcdef", "abc|de"]
    assert "1 texts were joined" in " ".join(made.notes)
    np.testing.assert_array_equal(made.targets[1], [2, 3, 4, 0, 5, 6])
    np.testing.assert_array_equal(made.inputs[1], [0, 2, 3, 4, 0, 5])
    assert symbols("abcde")[0] == ["abcde|"]
    assert symbols(*["abcdef"] * 20)[0] == ["abcdef"] * 12


def test_an_unknown_character_is_read_as_such_and_said():
    rows, made = symbols("abc?efgh")
    assert rows == ["abc?ef"]
    assert made.targets[0, 3] == LETTERS.unknown_id
    assert any("unknown" in note for note in made.notes)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["ab", "c"], "the texts must have at least 6 symbols, ends included, got 5"),
        ([], "ends included, got 0"),
        (["ab???fgh"], "does not know 3 of the 8 characters"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(texts, said):
    with pytest.raises(ReportError, match=re.escape(said)) as error:
        symbols(*texts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 3}, "steps must be at least 4, got 3"),
        ({"lags": 6}, "lags must be less than steps=6, got 6"),
        ({"burn_in": 6}, "burn_in must be less than steps=6"),
        ({"streams": 0}, "streams must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change, said):
    with pytest.raises(ReportError, match=said):
        reading.check(replace(SHORT, **change))
