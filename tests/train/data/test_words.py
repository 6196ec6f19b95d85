"""Texts of many scripts become words, characters or tokens."""

import pytest

from lstm_jax.train.data.examples import words


@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [
        ("It's GOOD, isn't it?", "word", ["it's", "good", ",", "isn't", "it", "?"]),
        ("Cafe\u0301 au  lait", "word", ["café", "au", "lait"]),
        ("牀前明月光。ok", "word", ["牀", "前", "明", "月", "光", "。", "ok"]),
        ("हिन्दी में", "word", ["हिन्दी", "में"]),
        ("ภาษา", "word", ["ภ", "า", "ษ", "า"]),
        ("1,5 \N{GRINNING FACE}", "word", ["1", ",", "5", "\N{GRINNING FACE}"]),
        (" a \n\tB ", "character", ["a", " ", "b"]),
        ("", "word", []),
    ],
)
def test_a_text_is_split(text, unit, wanted):
    assert list(words.split(text, unit)) == wanted


def test_tokens_are_taken_as_they_are():
    assert words.tokens(" A-b  c's ") == ("A-b", "c's")


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["good film", "плохой фильм"], "word"),
        (["とても良い", "悪い映画 ok"], "character"),
        (["", "123"], "word"),
    ],
)
def test_the_unit_follows_the_script(texts, wanted):
    assert words.unit_of(texts) == wanted


def test_what_differs_in_case_and_blanks_alone_is_equal():
    assert words.plain(" Good\tFILM ") == words.plain("good film") != words.plain("goodfilm")
