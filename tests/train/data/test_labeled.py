"""Texts with classes are read from tables and dealt out to parts, and what is odd is said."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labeled import read_texts, without_singles
from lstm_jax.train.data.examples.parts import arrange, part_of, share_of
from lstm_jax.train.data.tables import read_table

NAMES = {"valid": 0.2, "test": 0.2, "seed": 0, "unit": "texts"}


def table(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_table(path)


def rows_of(tmp_path, pairs, name="t.csv", groups=None):
    lines = ["label,text,who"]
    lines += [f"{label},{text},{groups[i] if groups else ''}"
              for i, (label, text) in enumerate(pairs)]  # fmt: skip
    read = table(tmp_path, "\n".join(lines), name)
    return read_texts(read, "text", "label", "who" if groups else "")


def test_rows_without_text_or_class_are_left_out_and_said(tmp_path):
    rows = read_texts(table(tmp_path, "l,t\na,one\n,two\nb,  \nnone,-\n"), "t", "l")
    assert list(rows.inputs) == ["one", "-"]
    assert list(rows.labels) == ["a", "none"]  # a word, and no missing value
    assert [note.partition(", the first")[0] for note in rows.notes] == [
        "left out 1 row without a class in 'l'",
        "left out 1 row without a text in 't'",
    ]
    assert rows.notes[0].endswith("t.csv, line 3")


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_numbers_of_a_frame_are_classes(make):
    frame = make({"t": ["x", "y", "z"], "l": [1.0, None, 10.0]})
    rows = read_texts(read_table(frame), "t", "l")
    assert list(rows.labels) == ["1", "10"]
    assert rows.places[1] == "the frame, row 2"


def test_a_missing_column_names_the_near_ones(tmp_path):
    with pytest.raises(DataError, match="has no column 'txt': did you mean text"):
        read_texts(table(tmp_path, "label,text\na,b\n"), "txt", "label")
    with pytest.raises(DataError, match="'text' is both the text and the class"):
        read_texts(table(tmp_path, "label,text\na,b\n"), "text", "text")


def test_classes_seen_once_are_left_out(tmp_path):
    pairs = [("a", "x"), ("a", "y"), ("b", "z"), ("b", "q"), ("c", "r")]
    rows = without_singles(rows_of(tmp_path, pairs))
    assert list(rows.labels) == ["a", "a", "b", "b"]
    assert rows.notes == ("left out 1 class with one example: 'c'",)
    prices = rows_of(tmp_path, [(f"{i}.5", f"text {i}") for i in range(9)])
    with pytest.raises(DataError, match="9 of them only once: is this the column with the classes"):
        without_singles(prices)


def test_equal_texts_are_in_one_part_and_contradictions_are_counted(tmp_path):
    pairs = [("ab"[i % 2], f"text {i // 4}") for i in range(80)]
    data = arrange(rows_of(tmp_path, pairs), {}, **NAMES)
    found = [set(part.inputs) for part in data.parts.values()]
    assert all(found)
    assert sum(map(len, found)) == len(set.union(*found)) == 20
    assert ("60 of the texts repeat others; equal ones are kept in the same part; 20 different "
            "texts have more than one class") in data.saw  # fmt: skip


def test_groups_are_in_one_part(tmp_path):
    pairs = [("ab"[i % 2], f"text {i}") for i in range(60)]
    groups = [f"writer {i // 6}" for i in range(60)]
    data = arrange(rows_of(tmp_path, pairs, groups=groups), {}, **NAMES)
    writers = [{int(text.split()[1]) // 6 for text in part.inputs} for part in data.parts.values()]
    assert sum(map(len, writers)) == len(set.union(*writers)) == 10
    assert "10 groups, each kept in one part" in data.saw


def test_what_is_to_be_tested_on_is_not_learned(tmp_path):
    train = rows_of(tmp_path, [("ab"[i % 2], f"text {i}") for i in range(40)])
    test = rows_of(tmp_path, [("a", "Text  4"), ("b", "new")], "test.csv")
    data = arrange(train, {"test": test}, **NAMES)
    assert list(data.parts["test"].inputs) == ["Text  4", "new"]
    assert "text 4" not in [*data.parts["train"].inputs, *data.parts["valid"].inputs]
    assert len(data.parts["valid"].inputs) == 8
    said = "\n".join(data.saw)
    assert f"left out 1 of the texts of {tmp_path / 't.csv'}, which" in said
    assert data.sha256 != train.sha256
    other = rows_of(tmp_path, [("c", "new")], "other.csv")
    with pytest.raises(DataError, match=r"line 2: the class 'c' is not one of the .* \(a, b"):
        arrange(train, {"test": other}, **NAMES)
    with pytest.raises(DataError, match="line 2: the class 'c'"):
        part_of(other, ["a", "b"])


def test_what_is_too_little_is_refused(tmp_path):
    with pytest.raises(DataError, match="has only one class, 'a'"):
        arrange(rows_of(tmp_path, [("a", "x"), ("a", "y")]), {}, **NAMES)
    few = rows_of(tmp_path, [("a", "x"), ("a", "y"), ("b", "z"), ("b", "q")])
    with pytest.raises(DataError, match="has only 4 texts, too few to set some aside"):
        arrange(few, {}, **NAMES)


def test_the_share_follows_the_rows():
    assert [share_of(count) for count in (30, 1999, 2000)] == [0.15, 0.15, 0.1]
