"""Poems that were ordered, of a model that knows nothing of verse."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.forms import may_follow
from verses import CHARACTERS, ORDERS, RHYMES, SYMBOLS, TABLE, by_hand, make, oracle

from lstm_jax import ModelError, Vocabulary
from lstm_jax.text.forms import (
    Order,
    Table,
    advance,
    allowed,
    make_plan,
    measures,
    open_patterns,
    plan,
    start,
)
from lstm_jax.text.verse import MARKS, lines

pytestmark = pytest.mark.usefixtures("compile_fast")

POET = make(end=2.0)  # it would end soon, and write marks anywhere
HOT = {"temperature": 1.5, "seed": 3}


@pytest.fixture(autouse=True)
def made_up_table(monkeypatch):
    monkeypatch.setattr(plan, "table", lambda: TABLE)


@pytest.mark.parametrize(("wishes", "prompt"), ORDERS.values(), ids=ORDERS)
def test_what_may_come_is_what_the_oracle_says(wishes, prompt):
    poems = [by_hand(wishes, prompt, seed) for seed in range(6)]
    assert len(set(poems)) > 1
    order, names = Order(**wishes), ("", "unknown", *SYMBOLS)
    tables = make_plan(order, POET.vocabulary)
    length = max(map(len, poems))
    rows = np.zeros((len(poems), length + 1), np.int32)
    for row, poem in zip(rows, poems, strict=True):
        row[: len(poem)] = POET.vocabulary.encode(poem)
    patterns = None
    if order.tones:
        one = open_patterns(tables, order, POET.vocabulary.encode(prompt))
        patterns = np.tile(one, (len(poems), 1))
    place = start(tables, np.zeros(len(poems), np.int32), patterns)
    read = jax.jit(lambda place, ids: (allowed(tables, place), advance(tables, place, ids)))
    for step in range(length + 1):
        masks, place = read(place, jnp.asarray(rows[:, step]))
        for mask, poem in zip(np.asarray(masks), poems, strict=True):
            if step <= len(poem):
                found = {names[i] for i in np.flatnonzero(mask)}
                expected = may_follow(poem[:step], SYMBOLS, RHYMES, **oracle(wishes, prompt))
                assert found == expected, poem[:step]


def test_a_form_is_kept_whatever_the_temperature():
    poems = POET.generate("", num=100, form="5x4", **HOT)
    assert len(set(poems)) == 100
    for poem in poems:
        assert [len(line) for line in lines(poem)] == [5] * 4
        assert len(poem) == 24
        assert {poem[5], poem[17]} <= set("，；？！")
        assert {poem[11], poem[23]} <= set("。？！")
        assert set(poem) - set(MARKS) <= set(CHARACTERS)


def test_tones_rhyme_and_an_acrostic_are_kept_together():
    wishes = {"form": "7x8", "rhyme": True, "tones": True, "acrostic": "雪東"}
    poems = POET.generate("", num=20, **wishes, **HOT)
    assert len(set(poems)) == 20
    for poem in poems:
        found = lines(poem)
        assert [len(line) for line in found] == [7] * 8
        assert found[0][0] + found[1][0] == "雪東"
        ends = [line[-1] for line in found[1::2]]
        assert len(set(ends)) == 4
        assert any(set(ends) <= set(RHYMES[name]) for name in ("上平聲一東", "下平聲一先"))


def test_an_acrostic_is_counted_by_marks_of_any_kind():
    poems = POET.generate("", num=100, acrostic="春夏秋冬", max_length=400, **HOT)
    assert {"？", "！", "；"} <= {mark for poem in poems for mark in poem[:-1] if mark in MARKS}
    for poem in poems:
        assert "".join(line[0] for line in lines(poem)) == "春夏秋冬"
        assert poem[-1] in "。？！"


def test_an_acrostic_by_couplet_begins_every_second_line():
    poems = POET.generate("", num=100, acrostic="春夏", acrostic_by="couplet", **HOT)
    assert all("".join(line[0] for line in lines(poem)[::2]) == "春夏" for poem in poems)
    assert {len(lines(poem)) for poem in poems} == {4}


def test_an_acrostic_may_be_shorter_than_its_form():
    poems = POET.generate("", num=100, form="5x4", acrostic="春夏", **HOT)
    assert all([line[0] for line in lines(poem)[:2]] == ["春", "夏"] for poem in poems)
    assert len({lines(poem)[2][0] for poem in poems}) > 1


def test_the_same_seed_gives_the_same_poem_alone_or_with_others():
    wishes = {"form": "5x4", "rhyme": True, "tones": True, "acrostic": "春"}
    prompts = ["", "春風", "春風白水夏，"]
    drawn = POET.generate(prompts, **HOT, **wishes)
    assert drawn == POET.generate(prompts, **HOT, **wishes)
    assert drawn[:1] == POET.generate(prompts[:1], **HOT, **wishes)
    pieces = POET.stream(prompts, **HOT, **wishes)
    assert ["".join(row) for row in zip(prompts, *pieces, strict=True)] == drawn
    greedy = POET.generate(prompts, temperature=0, **wishes)
    assert greedy == [POET.generate(p, temperature=0, **wishes)[0] for p in prompts]


def test_a_prompt_counts_toward_the_form():
    whole = "春風白水夏，東風白水夏。春風白水夏，東風白水夏。"
    assert POET.generate(whole, form="5x4") == [whole]
    (poem,) = POET.generate("春風白水夏，東風", form="5x4", **HOT)
    assert [len(line) for line in lines(poem)] == [5] * 4


def test_a_filter_chooses_among_what_is_allowed():
    wishes = {"form": "5x4", "acrostic": "夏"}
    greedy = POET.generate("", temperature=0, **wishes)
    assert POET.generate("", top_k=1, **HOT, **wishes) == greedy


# --- the mood ------------------------------------------------------------------------------------


def test_a_mood_is_read_and_not_shown():
    poem = POET.generate("春", mood="東風", temperature=0)[0]
    assert POET.generate("東風。春", temperature=0)[0] == f"東風。{poem}"
    assert POET.generate("春", mood="東風。", temperature=0)[0] == poem
    ruled = POET.generate("春", mood="東風", form="5x4", **HOT)[0]
    assert [len(line) for line in lines(ruled)] == [5] * 4
    np.testing.assert_array_equal(POET.score(poem, mood="東風"), POET.score(f"東風。{poem}")[3:])


# --- what it costs -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all", "free", "begun"])
def test_the_cost_is_what_the_masks_took_from_the_model(name):
    wishes, prompt = ORDERS[name]
    poem = by_hand(wishes, prompt, seed=5)
    costs = POET.cost(poem, prompt=prompt, mood="山", **wishes)
    assert costs.shape == (len(poem) + 1,)
    assert not costs[: len(prompt)].any()
    for step in range(len(prompt), len(poem) + 1):
        may = may_follow(poem[:step], SYMBOLS, RHYMES, **oracle(wishes, prompt))
        likely = POET.next_characters("山。" + poem[:step])
        expected = -np.log(sum(likely[symbol] for symbol in may))
        assert costs[step] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_what_is_free_costs_nothing():
    assert not POET.cost("春風", mood="山").any()


# --- best first ----------------------------------------------------------------------------------


def test_the_best_come_first():
    ten = POET.generate("春", num=10, form="5x4", **HOT)
    means = {poem: POET.score(poem)[1:].mean() for poem in ten}
    best = POET.generate("春", num=3, best_of=10, form="5x4", **HOT)
    assert best == sorted(ten, key=means.__getitem__, reverse=True)[:3]


def test_the_best_by_rhyme_rhyme_most(monkeypatch):
    monkeypatch.setattr(measures, "table", lambda: TABLE)
    ten = POET.generate("", num=10, form="5x4", **HOT)
    best = POET.generate("", num=10, best_of=10, rank="rhyme", form="5x4", **HOT)
    shares = [measures.rhyme_share(poem) for poem in best]
    assert sorted(best) == sorted(ten)
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) > 1


def test_texts_too_short_to_rhyme_are_ranked_all_the_same(monkeypatch):
    monkeypatch.setattr(measures, "table", lambda: TABLE)
    (best,) = POET.generate("", best_of=10, rank="rhyme", max_length=3, **HOT)
    assert len(best) <= 3


# --- without an order ----------------------------------------------------------------------------


def test_nothing_is_ruled_unless_asked_for():
    free = POET.generate("春", num=20, **HOT)
    assert free == POET.generate("春", num=20, **HOT, form=None, acrostic="", mood="", rhyme=False)
    assert any({len(line) for line in lines(poem)} != {5} for poem in free)
    assert not Order(mood="春").rules


# --- what cannot be ------------------------------------------------------------------------------

FIVE_BY_FOUR = "the form 5x4 needs 5 characters in a line, but"
REFUSED = [
    ({"form": "5"}, "the form must be CxL, L lines of C characters, such as 5x4, got '5'"),
    ({"form": "0x4"}, "the form must be CxL, L lines of C characters, such as 5x4, got '0x4'"),
    ({"form": "5x00"}, "the form must be CxL, L lines of C characters, such as 5x4, got '5x00'"),
    (
        {"form": "5x1000000"},
        "a poem of 5x1000000 has 6,000,000 characters and marks, but max_length is 120; raise it, "
        "or ask for a shorter form",
    ),
    (
        {"form": "5x4", "acrostic": "春夏秋冬山"},
        "the acrostic '春夏秋冬山' has 5 characters, one for each line, but the form 5x4 has "
        "only 4 lines",
    ),
    (
        {"form": "5x4", "acrostic": "春夏秋", "acrostic_by": "couplet"},
        "the acrostic '春夏秋' has 3 characters, one for each couplet, but the form 5x4 has "
        "only 4 lines",
    ),
    ({"acrostic_by": "verse"}, "acrostic_by must be line or couplet, got 'verse'"),
    ({"acrostic": "春qQ"}, "the model does not know 'qQ', in the acrostic '春qQ'"),
    ({"acrostic": "春，"}, "the acrostic must consist of characters, got '，' in '春，'"),
    ({"mood": "qQ"}, "the model does not know 'qQ', in the mood 'qQ'"),
    ({"rhyme": True}, "a rhyme needs a form, which fixes where lines end; give one, such as 5x4"),
    ({"tones": True}, "tones need a form, which fixes where lines end; give one, such as 5x4"),
    (
        {"form": "5x3", "rhyme": True},
        "a rhyme needs at least four lines, because only even lines rhyme, but the form 5x3 has 3",
    ),
    ({"form": "2x20", "rhyme": True}, "no rhyme has the 10 characters that the form 2x20 needs"),
    (
        {"form": "6x4", "tones": True},
        "the form 6x4 has no tone pattern; tones need one of 5x4, 7x4, 5x8, 7x8",
    ),
    (
        {"form": "5x4", "prompts": "春風白水東東"},
        f"{FIVE_BY_FOUR} line 1 of the prompt, '春風白水東東', has 6",
    ),
    (
        {"form": "5x4", "prompts": "春風白水東，東？"},
        f"{FIVE_BY_FOUR} line 2 of the prompt, '東？', has 1",
    ),
    (
        {"form": "2x2", "prompts": "春風，春風。春風"},
        "the prompt '春風，春風。春風' has 3 lines, but the poem may only have 2",
    ),
    (
        {"acrostic": "春夏", "prompts": "春風，春"},
        "line 2 of the prompt, '春', begins with '春', but the acrostic needs '夏'",
    ),
    (
        {"acrostic": "春夏", "prompts": "春，。"},
        "line 2 of the prompt, '。', must have a character before the mark",
    ),
    ({"form": 54}, "the form must be CxL, L lines of C characters, such as 5x4, got 54"),
    ({"acrostic": 5}, "acrostic must be a text, got 5"),
    ({"mood": None}, "mood must be a text, got None"),
    ({"best_of": 2, "num": 3}, "best_of must be an integer, num = 3 or more, got 2"),
    ({"best_of": True}, "best_of must be an integer, num = 1 or more, got True"),
    ({"rank": "luck"}, "rank must be probability or rhyme, got 'luck'"),
]


@pytest.mark.parametrize(("wishes", "words"), REFUSED, ids=[words[:40] for _, words in REFUSED])
def test_what_cannot_be_is_refused(wishes, words):
    with pytest.raises(ModelError) as error:
        POET.generate(**wishes)
    assert str(error.value) == words


def test_verse_is_of_chinese_characters():
    words = replace(POET, unit="word")
    with pytest.raises(
        ModelError, match="need a model that writes characters, but this one writes words"
    ):
        words.generate(form="5x4")
    latin = replace(POET, vocabulary=Vocabulary(tuple("abc。" + CHARACTERS[:20])))
    with pytest.raises(
        ModelError, match="the model does not know ，: forms need a model of Chinese"
    ):
        latin.generate(form="5x4")


def test_tones_need_characters_of_both(monkeypatch):
    monkeypatch.setattr(plan, "table", lambda: Table.of({"上平聲一東": CHARACTERS}))
    with pytest.raises(ModelError, match="the model knows no characters of both tones"):
        POET.generate(form="5x4", tones=True)


def test_a_cost_is_of_a_text_that_keeps_to_its_order():
    with pytest.raises(
        ModelError,
        match="5x4 needs 5 characters in a line, but line 1 of the prompt, '春風。', has 2",
    ):
        POET.cost("春風。", form="5x4")
