"""The recipe of the Tang corpus on made-up lines, and its exact counts on the real files."""

import hashlib

import pytest

from lstm_jax.train.data import tang
from lstm_jax.train.data.tang import clean, cluster, deduplicate, fold, split

# Numbers written out: lines of five that nobody ever sang.
ONE = "一一一一一，二二二二二。"
FOUR_LINES = "甲甲一二三，乙乙四五六。丙丙七八九，丁丁十百千。"


def keyed(*poems):
    kept = deduplicate(poems)
    assert list(kept.values()) == list(poems)
    return kept


def groups(*poems):
    """Return the clusters of `poems` as a list of labels 0, 1, ... in order of appearance."""
    names = list(cluster(keyed(*poems)).values())
    return [sorted(set(names), key=names.index).index(name) for name in names]


@pytest.mark.parametrize(
    ("paragraphs", "expected"),
    [
        ([ONE], ONE),
        (["一一一一一，", "二二二二二。"], ONE),
        (["一一一 一一，\u3000二二二二二。\n"], ONE),
        (["一一一一一（三三三），二二二二二。"], ONE),
        (["一一一一一（三（四）三，□a）", "，二二二二二。（五）"], ONE),
        (["一一一一一（三", "四），二二二二二。"], ONE),
        (["〖三□三〗一一一一一，二二二二二。"], ONE),
        (["「一一」『一』《一》〈一〉，[二]［二］二·二二。"], ONE),
        (["\u4e00\ufa0a一一一，二二二二二。"], "一見一一一，二二二二二。"),
        (["𠀀㐀一一一！二二二二二？；：、"], "𠀀㐀一一一！二二二二二？；：、"),
    ],
)
def test_clean_keeps(paragraphs, expected):
    assert clean(paragraphs) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "（一一一一一，二二二二二。）",
        "一一一一一（三，二二二二二。",
        "一一一一一）三，二二二二二。",
        "一一一一一（三（三），二二二二二。",
        "一一一一一〖三，二二二二二。",
        "一一一一□，二二二二二。",
        "一一一一○，二二二二二。",
        "一一一一●，二二二二二。",
        "一一一一〇，二二二二二。",
        "一一一一{三四}，二二二二二。",
        "一一一一⿰三四，二二二二二。",
        "一一一一a，二二二二二。",
        "一一一一一,二二二二二。",
        "一一一一一一一一一一。",
        "一一一一一，二二二二。",
        "一" * 16 + "，二二二二二。",
    ],
)
def test_clean_drops(text):
    assert clean([text]) is None


def test_clean_takes_a_line_of_fifteen():
    assert clean(["一" * 15 + "，二。"]) == "一" * 15 + "，二。"


def test_fold_is_simplified_and_keeps_the_order():
    assert fold(["風雲", "", "一"]) == ["风云", "", "一"]
    assert fold([]) == []


def test_deduplicate_keeps_the_first_in_order():
    poems = ["風一一一一，二二二二二。", ONE, "风一一一一！二二二二二？", ONE]
    assert list(deduplicate(poems).values()) == [poems[0], ONE]
    assert list(deduplicate(poems)) == ["风一一一一二二二二二", "一一一一一二二二二二"]
    assert deduplicate([]) == {}


def test_cluster_links_two_shared_lines_that_are_half_of_the_shorter():
    longer = FOUR_LINES + "戊戊一二三，己己四五六。庚庚七八九，辛辛十百千。"
    shorter = "甲甲一二三，乙乙四五六。天天一二三，地地四五六。"
    assert groups(longer, shorter) == [0, 0]
    assert groups(longer, shorter + "玄玄七八九。") == [0, 1]


def test_cluster_needs_two_shared_lines():
    assert groups("甲甲一二三，乙乙四五六。", "甲甲一二三，丙丙四五六。") == [0, 1]
    assert groups("甲甲一二三，甲甲一二三。", "甲甲一二三，丙丙四五六。") == [0, 1]


def test_cluster_leaves_out_short_lines():
    assert groups("甲甲一二，乙乙四五，一一一一一。", "甲甲一二，乙乙四五，二二二二二。") == [0, 1]
    assert groups("甲甲一二三，乙乙四五六，一二。", "甲甲一二三，乙乙四五六，三四。") == [0, 0]


def test_cluster_sees_through_the_script():
    assert groups("風甲一二三，雲乙四五六。一一一一一。", "风甲一二三，云乙四五六。") == [0, 0]


def test_cluster_folds_each_line_apart():
    # 乾坤 is a phrase that folds to itself, 乾 alone folds to 干.
    assert fold(["乾坤", "乾"]) == ["乾坤", "干"]
    assert groups("一一一一乾，坤二二二二。", "坤二二二二，一一一一乾。") == [0, 0]


def test_cluster_follows_chains_and_is_named_by_the_smallest_key():
    middle = "甲甲一二三，乙乙四五六。丙丙七八九，丁丁十百千。"
    left = "甲甲一二三，乙乙四五六。"
    right = "丙丙七八九，丁丁十百千。"
    alone = "戊戊一二三，己己四五六。"
    poems = keyed(right, alone, middle, left)
    named = cluster(poems)
    right_key, alone_key, middle_key, left_key = poems
    smallest = min(right_key, middle_key, left_key)
    assert named == {
        right_key: smallest,
        alone_key: alone_key,
        middle_key: smallest,
        left_key: smallest,
    }


@pytest.mark.parametrize(("count", "linked"), [(30, True), (31, False)])
def test_cluster_does_not_link_by_lines_that_are_in_too_many_poems(count, linked):
    poems = [f"甲甲一二三，乙乙四五六。{chr(0x4E00 + i) * 4}。" for i in range(count)]
    assert groups(*poems) == ([0] * count if linked else list(range(count)))


def test_split_goes_by_the_hash_of_the_cluster():
    keys = [chr(0x4E00 + i) for i in range(300)]
    poems = {key: f"{key}。" for key in keys}
    sides = split(poems, {key: key for key in keys})
    for side, low, high in zip(sides, (0, 90, 95), (90, 95, 100), strict=True):
        percents = [int(hashlib.sha256(p[0].encode()).hexdigest()[:8], 16) % 100 for p in side]
        assert percents
        assert all(low <= percent < high for percent in percents)
        assert [keys.index(p[0]) for p in side] == sorted(keys.index(p[0]) for p in side)
    assert sum(map(len, sides)) == 300


def test_split_keeps_a_cluster_together():
    poems = {chr(0x4E00 + i): f"{i}" for i in range(50)}
    for name in "甲乙丙丁":
        sides = split(poems, dict.fromkeys(poems, name))
        assert sorted(map(len, sides)) == [0, 0, 50]


def test_source_is_fifty_pinned_files_in_numeric_order():
    source = tang.tang_source()
    assert list(source.files) == [f"poet.tang.{start}.json" for start in range(0, 50_000, 1000)]
    assert all(len(bytes.fromhex(digest)) == 32 for digest in source.files.values())
    assert tang.COMMIT in source.base_url


def test_load_joins_the_steps(monkeypatch, tmp_path):
    (tmp_path / "one.json").write_text(
        '[{"paragraphs": ["一一一一一，", "二二二二二。"]}, {"paragraphs": ["□"]}]', "utf-8"
    )
    (tmp_path / "two.json").write_text('[{"paragraphs": ["一一一一一！二二二二二？"]}]', "utf-8")
    files = {name: tmp_path / name for name in ("one.json", "two.json")}
    monkeypatch.setattr(tang, "fetch", lambda source: files)
    corpus = tang.load()
    assert corpus.train + corpus.valid + corpus.test == (ONE,)
    assert (corpus.name, corpus.raw, corpus.clusters) == ("tang", 3, 1)
    assert corpus.sha256 == tang.tang_source().sha256


@pytest.mark.corpus
def test_corpus_has_the_exact_counts():
    corpus = tang.load()
    sides = (corpus.train, corpus.valid, corpus.test)
    counts = [(len(side), sum(map(len, side))) for side in sides]
    assert counts == [(43_849, 2_688_564), (2_415, 151_689), (2_477, 148_743)]
    assert corpus.raw == 50_021
    assert corpus.clusters == 46_670
    assert sum(map(len, sides)) == 48_741
    assert all(clean([poem]) == poem for poem in corpus.test)


@pytest.mark.corpus
def test_corpus_has_the_exact_count_of_clean_poems(monkeypatch):
    seen = []
    monkeypatch.setattr(tang, "deduplicate", lambda poems: seen.extend(poems) or {})
    tang.load()
    assert len(seen) == 49_633
