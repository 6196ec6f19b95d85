"""Whatever the unit, its symbols joined are the text again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.text.units import ALL_BYTES, UNITS, to_bytes, words

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@pytest.mark.parametrize("unit", UNITS)
@given(text=TEXTS)
def test_nothing_is_lost(unit, text):
    symbols = UNITS[unit].split(text)
    assert UNITS[unit].join(symbols) == text
    assert all(symbols)


@given(text=TEXTS)
def test_a_writer_writes_in_pieces_what_it_would_at_once(text):
    for unit in UNITS.values():
        write, symbols = unit.writer(), unit.split(text)
        pieces = [write("".join(symbols[i : i + 3]), False) for i in range(0, len(symbols), 3)]
        assert "".join([*pieces, write("", True)]) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("To be, or", ["To", " be", ",", " or"]),
        ("don't  stop\n\tnow", ["don't", " ", " stop", "\n", "\t", "now"]),
        ("床前明月光，", ["床", "前", "明", "月", "光", "，"]),
        ("のテスト です", ["の", "テ", "ス", "ト", " で", "す"]),
        ("हिन्दी में।", ["हिन्दी", " में", "।"]),  # vowel signs and virama are marks, not letters
        ("می‌خواهم", ["می‌خواهم"]),  # a joiner inside a word
        ("e\u0301te\u0301 x", ["e\u0301te\u0301", " x"]),
        ("", []),
    ],
)
def test_words_of_many_scripts(text, expected):
    assert words(text) == expected


def test_bytes_are_those_of_utf_8():
    assert [ord(symbol) for symbol in to_bytes("aé床")] == list("aé床".encode())
    assert set(to_bytes("aé床😀")) <= set(ALL_BYTES)
    assert to_bytes("a\ud800") == to_bytes("a\ufffd"), "half of a pair has no bytes"


def test_bytes_that_are_no_text_are_replaced():
    write = UNITS["byte"].writer()
    assert write("a\xe5\xba", False) == "a"
    assert write("", True) == "\ufffd"
    assert UNITS["byte"].join("\xff!") == "\ufffd!"
    assert [UNITS["byte"].show(symbol) for symbol in "a\xe5"] == ["a", "\\xe5"]
