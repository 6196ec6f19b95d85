"""A user's texts are read whole or refused, and no text is on two sides of the split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.text.lines import TextFileError
from lstm_jax.train.data import corpus
from lstm_jax.train.data.download import DataError


def write(folder, **files):
    for name, content in files.items():
        content = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.txt").write_bytes(content)


# --- files ---------------------------------------------------------------------------------------


def test_files_are_found_by_path_and_pattern_each_once(tmp_path):
    write(tmp_path, a="x", b="y", c="z")
    found = corpus.find_files([str(tmp_path / "b.txt"), str(tmp_path / "*.txt")])
    assert [path.name for path in found] == ["b.txt", "a.txt", "c.txt"]
    assert all(path.is_absolute() for path in found)


def test_a_name_with_the_marks_of_a_pattern_is_a_name(tmp_path):
    path = tmp_path / "a[1], b.txt"
    path.write_text("x")
    assert corpus.find_files([str(path)]) == (path.resolve(),)


def test_a_pattern_that_finds_nothing_is_named(tmp_path):
    write(tmp_path, a="x")
    missing = str(tmp_path / "*.md")
    with pytest.raises(DataError, match=r"^there is no file '.*\*\.md': give a path, or a pattern"):
        corpus.find_files([str(tmp_path / "a.txt"), missing])


def test_a_text_in_place_of_a_path_is_one_line():
    with pytest.raises(DataError, match=r"^'Call me .*'\.\.\. is not the name of a file"):
        corpus.find_files(["Call me Ishmael. " * 900])


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"is a folder: give the files in it, as '.*/\*\.txt'$"):
        corpus.find_files([str(tmp_path)])


def test_marks_and_ends_of_lines_are_no_part_of_a_text(tmp_path):
    write(tmp_path, a=b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    found = corpus.read_files([tmp_path / "a.txt"])
    assert found.texts == ("one\ntwo\nthree\n",)
    assert found.size == 18


def test_an_encoding_can_be_named(tmp_path):
    write(tmp_path, a="地上霜".encode("gb18030"), b="né".encode("utf-16"))
    assert corpus.read_files([tmp_path / "a.txt"], "gb18030").texts == ("地上霜",)
    assert corpus.read_files([tmp_path / "b.txt"], "utf-16").texts == ("né",)
    with pytest.raises(TextFileError, match="it looks like utf-16: give --encoding utf-16"):
        corpus.read_files([tmp_path / "b.txt"])


def test_a_binary_file_is_refused(tmp_path):
    write(tmp_path, a=b"line\nPK\x03\x04\x00\x00")
    with pytest.raises(TextFileError, match=r"a\.txt, line 2, is not UTF-8 text .*: it is binary"):
        corpus.read_files([tmp_path / "a.txt"])


def test_what_is_digested_is_what_is_in_the_files(tmp_path):
    write(tmp_path, a="one", b="two", c="one")
    digest = {
        names: corpus.read_files([tmp_path / f"{name}.txt" for name in names]).sha256
        for names in ("ab", "ba", "cb", "a")
    }
    assert digest["ab"] == digest["cb"]
    assert len(set(digest.values())) == 3


@pytest.mark.parametrize("contents", [[""], [" \n", "\t"]])
def test_files_of_nothing_are_refused(tmp_path, contents):
    paths = [tmp_path / f"{number}.txt" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    with pytest.raises(DataError, match=r"^there is no text in .*0\.txt"):
        corpus.read_files(paths)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "there is no text in an empty list"),
        (["", " "], "there is no text in text 0, text 1"),
        (["a", 3], r"texts\[1\] must be a string, got int"),
        (7, "texts must be a list of strings, got int"),
    ],
)
def test_texts_that_are_none_are_refused(given, said):
    with pytest.raises(DataError, match=said):
        corpus.take_texts(given)


def test_texts_from_python_may_hold_anything():
    found = corpus.take_texts(["a", "\ud800"])
    assert (found.names, found.texts) == (("text 0", "text 1"), ("a", "\ud800"))
    assert found.sha256 != corpus.take_texts(["a", "b"]).sha256


# --- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("file", ["one\n two\n\n \nthree\n"]),
        ("line", ["one", " two", "three"]),
        ("paragraph", ["one\n two", "three"]),
    ],
)
def test_what_a_text_is(how, expected):
    assert corpus.cut("one\n two\n\n \nthree\n", how) == expected
    assert corpus.cut(" \n\n", how) == []


PROSE = "\n".join(
    "the quick brown fox jumps over the lazy dog and so on"[: 44 + i % 9] for i in range(90)
)
NAMES = "\n".join(
    "emma olivia ava isabella sophia christopher"[: 3 + 7 * i % 30] for i in range(90)
)


@pytest.mark.parametrize(
    ("documents", "texts", "why"),
    [
        ([PROSE], "file", "continuous text in lines of about the same width"),
        ([PROSE.replace("\n", "\n\n")], "file", "continuous text with blank lines"),
        ([NAMES], "line", "90 lines of different lengths, without blank lines between them"),
        (["one line"], "file", "continuous text in lines of about the same width"),
        ([NAMES] * 10, "file", "there are 10 texts, and each is kept whole"),
    ],
)
def test_what_a_text_is_taken_for(documents, texts, why):
    assert corpus.how_to_cut(documents) == (texts, why)


# --- the split -----------------------------------------------------------------------------------


def test_one_running_text_is_cut_where_its_last_part_begins():
    text = "".join(chr(97 + i % 26) for i in range(1115))
    found = corpus.split([text], whole=False, valid=0.1, test=0.0)
    assert found == {"train": (text[:1003],), "valid": (text[1003:],)}
    found = corpus.split([text, text], whole=False, valid=0.05, test=0.05)
    assert [len(part) for held in found.values() for part in held] == [1003, 1003, 56, 56, 56, 56]
    assert "".join(found[name][0] for name in ("train", "valid", "test")) == text


texts_of_any = st.lists(st.text("abc", min_size=1, max_size=6), min_size=8, max_size=60)


@given(texts_of_any, st.floats(0.01, 0.3), st.floats(0.01, 0.3))
def test_equal_texts_are_on_one_side(texts, valid, test):
    if len(set(texts)) < 3:
        return
    found = corpus.split(texts, whole=True, valid=valid, test=test)
    assert sorted(text for held in found.values() for text in held) == sorted(texts)
    assert all(found.values())
    sides = [set(held) for held in found.values()]
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    again = corpus.split(texts[::-1], whole=True, valid=valid, test=test)
    assert {name: set(held) for name, held in again.items()} == dict(zip(found, sides, strict=True))


def test_about_as_much_is_held_out_as_was_asked_for():
    texts = [f"{number}" * 20 for number in range(1000, 1400)]
    found = corpus.split(texts, whole=True, valid=0.1, test=0.05)
    assert [len(held) for held in found.values()] == [340, 40, 20]


def test_one_very_long_text_is_not_held_out():
    texts = ["x" * 10_000, *(f"{number}" for number in range(1000, 1040))]
    found = corpus.split(texts, whole=True, valid=0.05, test=0.05)
    assert texts[0] in found["train"]
    assert len(found["valid"]) >= 1


@pytest.mark.parametrize("texts", [["one"], ["one", "two"], ["one"] * 20])
def test_too_few_texts_to_split_are_refused(texts):
    with pytest.raises(DataError, match=r"texts are too few to set some aside for .*--texts file"):
        corpus.split(texts, whole=True, valid=0.05, test=0.05)


def test_a_text_too_short_to_cut_is_refused():
    with pytest.raises(DataError, match=r"^9 characters are too few to set some aside for valid"):
        corpus.split(["nine char"], whole=False, valid=0.05, test=0.05)


def test_copies_and_lines_on_both_sides_are_counted():
    line, other = (
        "a line that is longer than thirty characters",
        "another one that is as long as that",
    )
    assert corpus.copies_of(["a", "b", "a", "a"]) == 2
    splits = {"train": (f"{line}\nshort",), "valid": (f" {line}\nshort",), "test": (other,)}
    assert corpus.lines_shared(splits) == (1, 2)


def test_texts_that_would_leave_rows_empty_run_on():
    assert corpus.runs_on(["x" * 100, "y"], rows=4)
    assert not corpus.runs_on(["x" * 10] * 40, rows=4)
