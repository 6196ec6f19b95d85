"""Texts in a file of one's own: one a line."""

import pytest

from lstm_jax.text.lines import TextFileError, read_lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_where_a_file_ends_them(tmp_path, end):
    path = tmp_path / "texts.txt"
    path.write_bytes(end.join(["\ufeffone", "  two ", "", "three"]).encode())
    assert read_lines(path) == ("one", "two", "three")


@pytest.mark.parametrize("inside", "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e")
def test_what_separates_within_a_text_does_not_split_it(tmp_path, inside):
    path = tmp_path / "texts.txt"
    path.write_text(f"one{inside}still one\ntwo\n", encoding="utf-8")
    assert read_lines(path) == (f"one{inside}still one", "two")


def test_blank_lines_are_no_texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n \u2028\u3000\n", encoding="utf-8")
    with pytest.raises(TextFileError, match="holds no text"):
        read_lines(path)
