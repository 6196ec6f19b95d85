"""A file is there whole or not at all, and what a user can cause is one line."""

import pytest

from lstm_jax.errors import UserError
from lstm_jax.files import write_whole, written_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [b"\x00\xff", "春\n"])
def test_what_is_written_replaces_what_was_there(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_text("before")
    write_whole(path, content)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "a.gif"
    path.write_text("before")

    def write():
        with written_whole(path) as partial:
            assert partial.parent == tmp_path
            assert partial.suffix == ".gif"
            partial.write_text("half")
            assert path.read_text() == "before"
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write()
    assert path.read_text() == "before"
    assert names(tmp_path) == ["a.gif"]


def test_two_writers_do_not_share_a_partial_file(tmp_path):
    with written_whole(tmp_path / "a") as one, written_whole(tmp_path / "a") as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    assert (tmp_path / "a").read_text() == "1"  # the last to be put in its place


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "no" / "a", "text")


def test_a_users_error_is_one_line():
    assert str(UserError("the first\n   and the second\n")) == "the first and the second"
    assert str(UserError("a  file with two blanks")) == "a  file with two blanks"
