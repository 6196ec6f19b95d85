"""What the page lets come next in a poem that was ordered."""

import pytest
from node import ask, needs_node
from oracles.forms import may_follow
from verses import ORDERS, RHYMES, SYMBOLS, TABLE, by_hand, oracle

from lstm_jax.page import words

pytestmark = needs_node


@pytest.mark.parametrize(("wishes", "prompt"), ORDERS.values(), ids=ORDERS)
def test_what_may_come_is_what_the_oracle_says(wishes, prompt, monkeypatch):
    monkeypatch.setattr(words, "table", lambda: TABLE)
    named = {"acrosticBy": wishes.get("acrostic_by", "line"), "prompt": prompt}
    order = {"form": "", "acrostic": "", "rhyme": False, "tones": False} | wishes | named
    poems = [by_hand(wishes, prompt, seed) for seed in range(20)]
    held = {**words.words(SYMBOLS), "readings": words.readings(SYMBOLS)}
    found = ask("followers", order=order, poems=poems, words=held)
    for poem, followers in zip(poems, found, strict=True):
        for length, symbols in enumerate(followers):
            expected = may_follow(poem[:length], SYMBOLS, RHYMES, **oracle(wishes, prompt))
            assert set(symbols) == expected, poem[:length]
