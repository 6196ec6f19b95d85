import hashlib
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lstm_jax.models.vocabulary import Vocabulary

TANG = Vocabulary(tuple("床前明月光,。"))


def test_a_text_of_known_characters_is_restored():
    ids = TANG.encode("明月光,床前。")
    assert ids.dtype == np.int32
    assert ids.tolist() == [4, 5, 6, 7, 2, 3, 8]
    assert TANG.decode(ids) == "明月光,床前。"
    assert TANG.decode(ids.tolist()) == "明月光,床前。"


def test_the_empty_text():
    ids = TANG.encode("")
    assert (ids.shape, ids.dtype) == ((0,), np.int32)
    assert TANG.decode(ids) == ""
    assert TANG.unknown("") == ""


def test_ids_are_dense_after_two_symbols():
    assert (TANG.end_id, TANG.unknown_id, len(TANG)) == (0, 1, 9)
    assert sorted(TANG.encode("".join(TANG.characters)).tolist()) == list(range(2, 9))
    assert len(Vocabulary(())) == 2


def test_characters_outside_are_unknown():
    assert TANG.encode("明x月").tolist() == [4, 1, 5]
    assert TANG.decode([4, 1, 5]) == "明\ufffd月"
    assert TANG.unknown("x明yx月y!") == "xy!"
    assert TANG.unknown("明月") == ""


def test_the_names_of_the_symbols_are_not_characters():
    assert TANG.encode("<end>").tolist() == [1] * 5


def test_end_stops_decoding():
    assert TANG.decode([4, 5, 0, 6]) == "明月"
    assert TANG.decode([0, 4]) == ""


def test_characters_are_ordered_by_frequency_and_ties_by_code_point():
    vocabulary = Vocabulary.from_texts(["ccc", "bab", "ad", "d"], min_count=1)
    assert vocabulary.characters == ("c", "a", "b", "d")
    assert Vocabulary.from_texts(["d", "da", "bba", "ccc"], min_count=1) == vocabulary


def test_rare_characters_are_left_out():
    texts = ["aaab", "bc"]
    assert Vocabulary.from_texts(texts).characters == ("a", "b")
    assert Vocabulary.from_texts(texts, min_count=3).characters == ("a",)
    assert Vocabulary.from_texts(iter([])).characters == ()


def test_the_digest_tells_order_and_content():
    assert TANG.digest == hashlib.sha256("床前明月光,。".encode()).hexdigest()
    assert TANG.digest == Vocabulary(TANG.characters).digest
    assert TANG.digest != Vocabulary(TANG.characters[::-1]).digest
    assert TANG.digest != Vocabulary(TANG.characters[:-1]).digest


def test_vocabularies_are_compared_by_their_characters():
    assert Vocabulary(TANG.characters) == TANG
    assert Vocabulary(TANG.characters[:-1]) != TANG
    assert "_ids" not in repr(TANG)


def test_duplicates_are_refused():
    with pytest.raises(ValueError, match="must differ"):
        Vocabulary(("a", "b", "a"))


@pytest.mark.parametrize("index", [9, 100])
def test_an_id_outside_is_an_error(index):
    with pytest.raises(IndexError):
        TANG.decode([index])


@pytest.mark.parametrize("index", [-1, -2, -9])
def test_a_negative_id_is_an_error(index):
    with pytest.raises(IndexError, match=rf"ids must lie in \[0, 9\), got {index}"):
        TANG.decode([4, index])
    assert TANG.decode([4, 0, index]) == "明"  # characters after the end are not read


CHARACTERS = st.text(st.characters(exclude_categories=()), min_size=1, max_size=1)  # surrogates too
VOCABULARIES = st.lists(st.one_of(CHARACTERS, st.text(max_size=4)), unique=True, max_size=8)


@given(VOCABULARIES, VOCABULARIES)
@example(["ab", "c"], ["a", "bc"])
@example(["abc"], ["a", "b", "c"])
@example(["", "a"], ["a"])
@example(["\ud83d", "\ude00"], ["\U0001f600"])
@example(['["a"]'], ["a"])
def test_different_vocabularies_have_different_digests_and_are_restored(one, other):
    vocabularies = [Vocabulary(tuple(characters)) for characters in (one, other)]
    assert (one == other) == (len({v.digest for v in vocabularies}) == 1)
    for vocabulary in vocabularies:
        text = json.dumps(vocabulary.to_store(), ensure_ascii=False)
        stored = json.loads(text.encode("utf-8", "backslashreplace"))
        assert Vocabulary.restored(stored) == vocabulary


def test_invalid_vocabularies_are_refused():
    for stored in ([1, 2], ["a", None]):
        with pytest.raises(TypeError, match="a string of characters, or a list of words"):
            Vocabulary.restored(stored)
