import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from verses import TABLE, make

from lstm_jax import ModelError
from lstm_jax.models import storage
from lstm_jax.text.forms import measures
from lstm_jax.train.data import tang
from lstm_jax.train.release import export, form, report
from lstm_jax.train.release.nearest import Lines

ROOT = Path(__file__).parent.parent.parent.parent
POEMS = [
    "春水東山風，秋水看雪東。冬山白水石，夏月白山風。",
    "天年前仙邊，春秋看天年。白石月雪水，起里子水仙。",
]


def edits(one, other):
    """Compute Levenshtein's distance by its definition."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        edits(one[1:], other[1:]) + (one[0] != other[0]),
        edits(one[1:], other) + 1,
        edits(one, other[1:]) + 1,
    )


def test_the_nearest_line_takes_the_fewest_edits():
    rng = np.random.default_rng(0)
    lines = ["".join(rng.choice(list("春夏秋冬"), rng.integers(1, 6))) for _ in range(40)]
    known = Lines(lines)
    assert len(known) == len(set(lines)) < 40
    for _ in range(20):
        line = "".join(rng.choice(list("春夏秋冬"), rng.integers(1, 7)))
        distances = [edits(line, other) for other in dict.fromkeys(lines)]
        found, distance = known.nearest(line)
        assert distance == min(distances) == edits(line, found)
        assert found == list(dict.fromkeys(lines))[distances.index(distance)]
        assert (line in known) == (distance == 0)


def test_a_shuffled_poem_keeps_its_characters_and_marks():
    shuffled = report.shuffled(POEMS)
    assert shuffled == report.shuffled(POEMS) != POEMS
    for poem, other in zip(POEMS, shuffled, strict=True):
        assert sorted(poem) == sorted(other)
        assert [i for i, c in enumerate(poem) if c in "，。"] == [
            i for i, c in enumerate(other) if c in "，。"
        ]


def test_the_figures_of_poems_are_counted(monkeypatch):
    monkeypatch.setattr(measures, "table", lambda: TABLE)
    known = Lines(["春水東山風", "春水東山天", "白石月雪水"])
    found = report.of_poems([POEMS[0], POEMS[1] + "雪", "山水，山風，山水，山"], known)
    assert found["keep_the_form"] == pytest.approx(2 / 3)
    assert found["lines_in_training"] == 2 / 8  # of the long ones; a line without its mark is none
    assert found["distinct_lines"] == pytest.approx(10 / 11)
    assert found["rhyme"] == 1  # 東 and 風, 年 and 仙; the third has but one even line
    assert found["regulated"] == pytest.approx(2 / 3)
    assert 0 < found["tones"] < 1
    assert found["beside"][0] == ("春水東山風", "春水東山風", 0)


def test_the_tables_have_every_figure_and_the_summary_the_main_ones(monkeypatch, tmp_path):
    poet = make()
    poet = type(poet)(poet.network, poet.vocabulary, {"data": "tang"})
    corpus = tang.Corpus("tang", tuple(POEMS), (), tuple(POEMS), 2, 2, "")
    monkeypatch.setattr(measures, "table", lambda: TABLE)
    monkeypatch.setattr(tang, "load", lambda: corpus)
    monkeypatch.setattr(report, "load", lambda model: poet)
    monkeypatch.setattr(report, "TEMPERATURES", (0.8,))
    figures = report.measure("mine")
    assert json.loads(json.dumps(figures))["poems"] == 2
    assert list(figures["kinds"]) == ["temperature 0.8", "test poems", "shuffled"]
    table = report.markdown(figures)
    assert all(label in table for label, _ in report.ROWS.values())
    assert "|  | temperature 0.8 | test poems | shuffled |" in table
    assert "(test poems 100.0%, shuffled" in report.summary(figures)
    assert form.samples(poet, POEMS, 0.8) == poet.generate([p[:2] for p in POEMS], temperature=0.8)


def test_what_is_told_is_what_was_measured():
    results = ROOT / "tests" / "benchmarks" / "results"
    figures = json.loads((results / "poems.json").read_text(encoding="utf-8"))
    assert report.markdown(figures) in (results / "poems.md").read_text(encoding="utf-8")
    card = (storage.find("tang") / "CARD.md").read_text(encoding="utf-8")
    assert report.summary(figures) in " ".join(card.split())
    guide = (ROOT / "notebooks" / "results.md").read_text(encoding="utf-8")
    for name in ("lines_in_training", "tones", "rhyme"):
        kinds = [figures["kinds"][kind] for kind in ("temperature 0.8", "test poems", "shuffled")]
        shares = [report.ROWS[name][1].format(kind[name]) for kind in kinds]
        assert f"| {' | '.join(shares)} |" in guide
    notebook = (ROOT / "notebooks" / "poems.py").read_text(encoding="utf-8")
    table = report.markdown(figures).split("\n\n")[1]
    assert "\n".join(f"# {row}" for row in table.splitlines()) in notebook


def test_nothing_is_overwritten_by_a_model_of_something_else(monkeypatch, tmp_path):
    monkeypatch.setattr(export, "load", lambda model: make())
    options = export.Options(tmp_path / "run", tmp_path / "tang", "0a1b2c3")
    with pytest.raises(ModelError, match=r"Tang poems, but .*run was trained on made up"):
        export.release(options)
    with pytest.raises(ModelError, match="is the run itself: use another --out"):
        export.release(replace(options, out=tmp_path / "tang" / ".." / "run"))
    assert not (tmp_path / "tang").exists()


def test_a_model_of_something_else_is_refused(monkeypatch):
    monkeypatch.setattr(report, "load", lambda model: make())
    with pytest.raises(ModelError, match="Tang poems, but mine was trained on made up"):
        report.measure("mine")
