"""Texts in a file of one's own: one a line."""

import pytest

from lstm_jax.text.lines import TextFileError, read_chunks, read_lines, read_text


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


# --- a file of any length, some of it at a time --------------------------------------------------

HARD = "\ufeffa\r\n\r\né\r床\n\n\r𝄞\r\n\ufeff"  # a mark, three kinds of ends, 1 to 4 bytes each


def joined(path, size, encoding=None):
    chunks = list(read_chunks(path, encoding, size=size))
    assert sum(count for count, _ in chunks) == path.stat().st_size
    return "".join(text for _, text in chunks)


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("encoding", [None, "utf-16", "utf-16-le", "gb18030"])
def test_wherever_a_chunk_ends_the_text_is_the_same(size, encoding, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes((HARD + 2 * HARD[1:]).encode(encoding or "utf-8"))
    assert joined(path, size, encoding) == read_text(path, encoding)[1]


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"\xef\xbb\xbfone\ntwo\xff", None, "line 2, byte 10, is not UTF-8 text (byte 0xff): save"),
        ("ab\n床".encode()[:-1], None, "line 2, byte 3, is not UTF-8 text (byte 0xe5): save"),
        ("ab\n床".encode()[:-1] + b"a", None, "line 2, byte 3, is not UTF-8 text (byte 0xe5)"),
        (b"one\n\0", None, "line 2, byte 4, is not UTF-8 text (byte 0x00): it is binary"),
        (
            "ab\ncd".encode("utf-16"),
            None,
            "line 1, byte 0, is not UTF-8 text (byte 0xff): it looks",
        ),
        ("é\n".encode("gb18030") + b"\x81\n", "gb18030", "line 2, byte 3, is not gb18030 text"),
    ],
)
def test_a_bad_byte_is_said_with_its_place(content, encoding, said, size, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(TextFileError) as error:
        joined(path, size, encoding)
    assert str(error.value).startswith(f"{path}, {said}")


@pytest.mark.parametrize("encoding", ["hex", "nonsense", "undefined"])
def test_an_encoding_that_is_none(encoding, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"abc")
    for read in (joined, lambda path, _, encoding: read_text(path, encoding)):
        with pytest.raises(TextFileError, match=f"there is no encoding '{encoding}'; use"):
            read(path, 2, encoding)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TextFileError, match="cannot be read: No such file or directory"):
        joined(tmp_path / "none.txt", 4)


def test_utf_16_without_its_mark_is_one_line(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("ab".encode("utf-16-le"))
    with pytest.raises(TextFileError, match="is not utf-16 text: UTF-16 stream does not start"):
        joined(path, 4, "utf-16")
