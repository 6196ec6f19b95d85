"""Tables of every dialect and library are read alike, or refused with the place of a fault."""

import json
import time
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstm_jax.errors import UserError
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.tables import frame_like, is_missing, read_table

COLUMNS = {"day": ["2024-03-01", "2024-03-02"], "y": [1.5, None], "note": ["a", "b"]}
LIBRARIES = [pd, pl, pa]


def put(tmp_path, content, name="sales.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def frame(library, columns):
    return pa.table(columns) if library is pa else library.DataFrame(columns)


def cells(table):
    return [[None if is_missing(cell) else str(cell) for cell in row] for row in table.rows]


# --- files ---------------------------------------------------------------------------------------

PLAIN = "day,y,note\n2024-03-01,1.5,a\n2024-03-02,,b\n"
SAME = {
    "commas": ("sales.csv", PLAIN),
    "semicolons": ("sales.csv", PLAIN.replace(",", ";")),
    "bars": ("sales.csv", PLAIN.replace(",", "|")),
    "tabs in .csv": ("sales.csv", PLAIN.replace(",", "\t")),
    "tabs": ("sales.tsv", PLAIN.replace(",", "\t")),
    "a text": ("sales.txt", PLAIN.replace(",", ";")),
    "a byte order mark": ("sales.csv", "\ufeff" + PLAIN),
    "CRLF": ("sales.csv", PLAIN.replace("\n", "\r\n")),
    "CR": ("sales.csv", PLAIN.replace("\n", "\r")),
    "no last line feed": ("sales.csv", PLAIN.rstrip("\n")),
    "blank lines": ("sales.CSV", "\n" + PLAIN.replace("\n", "\n\n") + ",,\n\n"),
    "quotes": ("sales.csv", '"day","y","note"\n"2024-03-01","1.5","a"\n2024-03-02,"",b\n'),
    "blanks around names": ("sales.csv", PLAIN.replace("day,y", " day , y")),
    "a word for nothing": ("sales.csv", PLAIN.replace(",,", ", N/A ,")),
    "JSON": (
        "sales.jsonl",
        '{"day": "2024-03-01", "y": 1.5, "note": "a"}\n\n{"note": "b", "day": "2024-03-02"}\n',
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_every_dialect_is_the_same_table(tmp_path, case):
    name, content = SAME[case]
    table = read_table(put(tmp_path, content, name))
    assert table.names == ("day", "y", "note")
    assert cells(table) == [["2024-03-01", "1.5", "a"], ["2024-03-02", None, "b"]]
    np.testing.assert_array_equal(table.numbers("y"), [1.5, np.nan])


def test_a_cell_may_hold_whatever_its_quotes_hold(tmp_path):
    table = read_table(put(tmp_path, 'a,b\n"x\ny, ""z""",1\nu\u2028v\x0bw,2\n3,4\n'))
    assert table.column("a") == ['x\ny, "z"', "u\u2028v\x0bw", "3"]
    assert [table.place(row).split(", ")[-1] for row in range(3)] == ["line 3", "line 4", "line 5"]


def test_other_encodings_are_read_where_they_are_named(tmp_path):
    path = put(tmp_path, "a,b\n1,grün\n".encode("latin-1"))
    assert read_table(path, encoding="latin-1").column("b") == ["grün"]
    with pytest.raises(UserError, match=r"sales.csv, line 2, is not UTF-8 text \(byte 0xfc\)"):
        read_table(path)
    wide = put(tmp_path, "a,b\n1,2\n".encode("utf-16"), "wide.csv")
    with pytest.raises(UserError, match="it looks like utf-16: give --encoding utf-16"):
        read_table(wide)
    assert read_table(wide, encoding="utf-16").column("b") == ["2"]
    with pytest.raises(UserError, match="there is no encoding 'klingon'"):
        read_table(path, encoding="klingon")


def test_a_table_is_known_by_its_files_bytes(tmp_path):
    first = read_table(put(tmp_path, PLAIN)).sha256
    assert read_table(put(tmp_path, PLAIN, "other.csv")).sha256 == first
    assert read_table(put(tmp_path, PLAIN.replace("1.5", "1.6"))).sha256 != first


@pytest.mark.parametrize("library", [pl, pd])
def test_parquet_is_read(tmp_path, library):
    path = tmp_path / "sales.parquet"
    made = frame(library, COLUMNS)
    made.write_parquet(path) if library is pl else made.to_parquet(path)
    table = read_table(path)
    assert cells(table) == [["2024-03-01", "1.5", "a"], ["2024-03-02", None, "b"]]
    assert table.place(1) == f"{path}, row 1"


REFUSED = {
    "a row that is too long": (
        "a.csv",
        "a,b\n1,2\n\n3,4,5\n",
        "line 4 must have 2 cells like the header, got 3",
    ),
    "a row that is too short": (
        "a.csv",
        'a,b\n"1\n1",2\n3\n',
        "line 4 must have 2 cells like the header, got 1",
    ),
    "an open quote": ("a.csv", 'a,b\n1,2\n"3,4\n', "line 3: unexpected end of data"),
    "a text after a quote": ("a.csv", 'a,b\n"1"2,3\n', "line 2: ',' expected after '\"'"),
    "a name twice": ("a.csv", "a,b,a\n1,2,3\n", "has the column 'a' more than once: rename"),
    "nothing": ("a.csv", "", "is empty: it must have a header and rows"),
    "blanks": ("a.csv", "\n \n", "is empty: it must have a header and rows"),
    "a header": ("a.csv", "a,b\n", "has a header but no rows"),
    "no JSON": ("a.jsonl", '{"a": 1}\n{"a": \n', r"line 2 is not JSON \(Expecting value"),
    "a list of JSON": ("a.jsonl", "[1, 2]\n", "line 1 must be a JSON object"),
    "deep JSON": ("a.jsonl", "[" * 100_000 + "\n", "line 1 is not JSON"),
    "another ending": ("a.xlsx", "PK", "the name of a table must end in one of .csv"),
    "no Parquet": ("a.parquet", "PAR1", "cannot be read as Parquet"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_is_refused_with_its_place(tmp_path, case):
    name, content, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected) as caught:
        read_table(put(tmp_path, content, name))
    assert str(caught.value).startswith(str(tmp_path / name))


def test_files_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none.csv cannot be read: No such file or directory"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_table(tmp_path / "none.parquet")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match=r"folder.csv cannot be read: Is a directory"):
        read_table(tmp_path / "folder.csv")


# --- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("unit", "did you mean units?"),
        ("DATE", "did you mean date?"),
        ("qqq", "it has date, units, store"),
    ],
)
def test_a_missing_column_names_those_that_are_near(tmp_path, name, advice):
    table = read_table(put(tmp_path, "date,units,store\n2024-03-01,1,a\n"))
    with pytest.raises(DataError) as caught:
        table.column(name)
    assert str(caught.value) == f"{tmp_path}/sales.csv has no column {name!r}: {advice}"


@pytest.mark.parametrize("cell", ["red", "1,5", "inf", "-Infinity", "1e999", "0x10", "1 2", "[1]"])
def test_what_is_no_finite_number_is_refused_with_its_place(tmp_path, cell):
    table = read_table(put(tmp_path, f'a;b\n1;2\n;3\n"{cell}";4\n'))
    with pytest.raises(DataError) as caught:
        table.numbers("a")
    assert str(caught.value) == (
        f"{tmp_path}/sales.csv, line 4: a must be a finite number, got {cell!r}: correct it, "
        "or leave it empty if it is not known"
    )


def test_json_keeps_what_is_no_number(tmp_path):
    for value in ([1], {"b": 1}, 10**400, float("inf")):
        table = read_table(put(tmp_path, json.dumps({"a": value}) + "\n", "a.jsonl"))
        with pytest.raises(DataError, match=r"line 1: a must be a finite number, got"):
            table.numbers("a")
    assert read_table(put(tmp_path, '{"a": true}\n{"a": null}\n', "a.jsonl")).numbers("a")[0] == 1


def test_a_million_columns_are_no_burden(tmp_path):
    names = ",".join(f"c{i}" for i in range(10**6))
    path = put(tmp_path, f"{names}\n" + "1," * (10**6 - 1) + "2\n")
    start = time.process_time()
    table = read_table(path)
    assert table.numbers("c999999") == [2]
    with pytest.raises(DataError, match=r"it has c0, c1, .* and 999,988 more"):
        table.column("zzz")
    assert time.process_time() - start < 5


# --- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_frames_are_tables_and_answers_are_frames_of_their_library(library):
    made = frame(library, COLUMNS)
    table = read_table(made)
    assert cells(table) == [["2024-03-01", "1.5", "a"], ["2024-03-02", None, "b"]]
    assert (table.place(1), table.like is made) == ("the frame, row 1", True)
    with pytest.raises(DataError, match=r"^the frame, row 0: note must be a finite number, got"):
        table.numbers("note")
    answer = frame_like({"day": [date(2024, 3, 1)], "y": [2.5]}, made)
    assert type(answer) is type(made)
    assert [str(cell) for row in read_table(answer).rows for cell in row] == ["2024-03-01", "2.5"]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_a_frames_missing_values_are_missing(library):
    noon = [datetime(2024, 3, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")), None]
    table = read_table(frame(library, {"t": noon, "n": [1, None], "f": [0.5, float("nan")]}))
    assert [is_missing(cell) for cell in table.rows[0]] == [False] * 3
    assert [is_missing(cell) for cell in table.rows[1]] == [True] * 3
    for name in ("n", "f"):
        assert np.isnan(table.numbers(name)[1])
    assert table.texts("t")[0] == "2024-03-01 12:00:00+01:00"


def test_pandas_own_integers_may_be_missing():
    made = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "c": pd.Categorical(["a", None])})
    table = read_table(made)
    np.testing.assert_array_equal(table.numbers("n"), [1, np.nan])
    assert table.texts("c") == ["a", None]


def test_a_lazy_frame_is_read():
    assert read_table(pl.LazyFrame(COLUMNS)).texts("note") == ["a", "b"]


def test_a_frame_is_known_by_its_cells():
    first = read_table(pl.DataFrame(COLUMNS)).sha256
    assert read_table(pl.DataFrame(COLUMNS)).sha256 == first
    assert read_table(pl.DataFrame({**COLUMNS, "note": ["a", "c"]})).sha256 != first
    assert read_table(pl.DataFrame({**COLUMNS}).rename({"y": "z"})).sha256 != first


def test_what_is_no_frame_is_refused():
    with pytest.raises(DataError, match=r"a table must be a path, or a frame of .*, got dict"):
        read_table({"a": [1]})
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match=r"^the frame has a column more than once: rename one"):
        read_table(twice)
    with pytest.raises(DataError, match="the frame has a header but no rows"):
        read_table(pl.DataFrame({"a": []}))


def test_without_a_frame_an_answer_is_lists():
    assert frame_like({"a": np.arange(2)}, None) == {"a": [0, 1]}
