"""Sequences with classes are read from long tables and .ts files, and mistakes are one line."""

import numpy as np
import polars as pl
import pytest

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.archive import read_ts
from lstm_jax.train.data.examples.sequences import read_long, with_columns
from lstm_jax.train.data.tables import read_table

LONG = """id,t,x,note,y,class
1,2,20,a,2,run
2,1,5,b,,walk
1,1,10,c,1,run
2,2,6,d,4,walk
1,10,30,e,3,run
"""


def long(tmp_path, text=LONG, **options):
    path = tmp_path / "steps.csv"
    path.write_text(text, encoding="utf-8")
    return read_long(read_table(path), **{"by": "id", "label": "class", "time": "t", **options})


def test_steps_are_put_in_order(tmp_path):
    rows = long(tmp_path)
    assert rows.columns == ("x", "y")  # what holds numbers
    np.testing.assert_array_equal(rows.inputs[0], [[10, 1], [20, 2], [30, 3]])
    np.testing.assert_array_equal(rows.inputs[1], [[5, np.nan], [6, 4]])
    assert list(rows.labels) == ["run", "walk"]
    assert list(rows.names) == ["1", "2"]
    assert rows.keys[0] != rows.keys[1]
    as_it_stands = long(tmp_path, time="", columns=("y", "x"))
    np.testing.assert_array_equal(as_it_stands.inputs[0][:, 1], [20, 10, 30])


@pytest.mark.parametrize(
    "times",
    [
        ["09:59", "10:00", "10:01"],
        ["2023-12-31", "2024-01-01T09:00", "2024-01-01 10:00"],
        ["2024-03-31T03:30+02:00", "2024-03-31T02:00Z", "2024-03-31T02:30Z"],
        ["2", "10", "1e2"],
    ],
)
def test_times_are_put_in_order(times, tmp_path):
    rows = [f"1,{times[k]},{k},0,0,run" for k in (2, 0, 1)]
    found = long(tmp_path, "\n".join([LONG.split("\n")[0], *rows]) + "\n", columns=("x",))
    np.testing.assert_array_equal(found.inputs[0][:, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("times", "bad"),
    [
        (["09:59", "9:59"], "9:59"),
        (["1", "12 s"], "12 s"),
        (["2024-01-01", "31/12/2023"], "31/12/2023"),
        (["2024-01-01", "09:00"], "09:00"),
    ],
)
def test_times_that_have_no_order_are_refused(times, bad, tmp_path):
    rows = [f"1,{moment},{k},0,0,run" for k, moment in enumerate(times)]
    with pytest.raises(DataError, match=f"line 3: t must be a number in every row.*got '{bad}'"):
        long(tmp_path, "\n".join([LONG.split("\n")[0], *rows]) + "\n")
    rows = ["1,2024-01-01T09:00,0,0,0,run", "1,2024-01-01T09:00Z,1,0,0,run"]
    with pytest.raises(DataError, match="some times in t have a zone, and others have none"):
        long(tmp_path, "\n".join([LONG.split("\n")[0], *rows]) + "\n")


def test_classes_need_not_be_there_to_be_asked_for(tmp_path):
    assert list(long(tmp_path, label="").labels) == ["", ""]


def test_a_frame_is_read_like_a_file(tmp_path):
    path = tmp_path / "steps.csv"
    of_file = long(tmp_path)
    frame = read_table(pl.read_csv(path))
    of_frame = read_long(frame, by="id", label="class", time="t")
    for one, other in zip(of_file.inputs, of_frame.inputs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("1,10,30,e,3,run", "1,10,30,e,3,walk"), r"line 6: the sequence '1' has the class 'walk'"),
        (("1,10,30", "1,2,30"), r"line 6: the sequence '1' has a second step at t 2"),
        (("2,2,6,d,4", "2,2,6,d,four"), r"line 5: y must be a finite number, got 'four'"),
        (("2,2,6,d,4", "2,2,inf,d,4"), r"line 5: x must be a finite number, got 'inf'"),
        (
            ("2,2,6,d,4", "2,2,6,d,-1e300"),
            r"line 5: y must be at most 1e\+30 in size, got -1",
        ),
        (("2,2,6", "2,,6"), r"line 5: t is empty, but every row needs"),
    ],
)
def test_a_mistake_says_where(change, said, tmp_path):
    with pytest.raises(DataError, match=said):
        long(tmp_path, LONG.replace(*change))


def test_rows_of_no_sequence_and_sequences_of_no_class_are_said(tmp_path):
    rows = long(tmp_path, LONG.replace("1,10,30", ",10,30").replace("walk", ""))
    assert len(rows) == 1
    assert rows.notes[0].startswith("left out 1 row without a value in 'id', the first: ")
    assert rows.notes[1] == "left out 1 sequence without a class in 'class'"
    with pytest.raises(DataError, match="has no sequence with a class in 'class'"):
        long(tmp_path, LONG.replace("walk", "").replace("run", ""))


def test_no_column_to_read_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no further column of numbers"):
        long(tmp_path, "id,t,class,note\n1,1,a,x\n")
    rows = long(tmp_path)
    with pytest.raises(DataError, match=r"must have 1 column to read \(x\), got 2 \(x, y\)"):
        with_columns(rows, ["x"])


TS = """# made up
@problemName Two
@timeStamps false
@univariate false
@dimensions 2
@classLabel true walk run
@data
1,2,3:4,?,6:walk
7:8:run
"""


def ts(tmp_path, text=TS):
    path = tmp_path / "two_TRAIN.ts"
    path.write_text(text, encoding="utf-8")
    return read_ts(path)


def test_a_ts_file_is_read(tmp_path):
    rows = ts(tmp_path)
    np.testing.assert_array_equal(rows.inputs[0], [[1, 4], [2, np.nan], [3, 6]])
    np.testing.assert_array_equal(rows.inputs[1], [[7, 8]])
    assert list(rows.labels) == ["walk", "run"]
    assert rows.columns == ("dimension 1", "dimension 2")
    one = ts(tmp_path, TS.replace("1,2,3:4,?,6:walk\n7:8:run", "1.5,-2e3:walk"))
    np.testing.assert_array_equal(one.inputs[0], [[1.5], [-2000]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("@timeStamps false", "@timeStamps true"), "has time stamps, which are not supported"),
        (("@classLabel true walk run", "@classLabel false"), "has no classes"),
        (("@data\n", ""), "line 7 is before @data and must begin with @"),
        (("7:8:run", "7:8"), "line 9 must have 2 dimensions, like the lines before it, got 1"),
        (("7:8:run", "7:8:"), "line 9 must hold dimensions and a class"),
        (("7:8:run", "7,9:8:run"), "line 9: all dimensions must have .*, got 1 to 2"),
        (("7:8:run", "7:(0,8):run"), "line 9: a value must be a number up to .*, got '\\(0'"),
        (("7:8:run", "7:inf:run"), "line 9: a value must be a number up to .*, got 'inf'"),
        ((TS.partition("@data")[2], ""), "has no lines after @data"),
    ],
)
def test_a_mistake_in_a_ts_file_says_where(change, said, tmp_path):
    with pytest.raises(DataError, match=said):
        ts(tmp_path, TS.replace(*change))
