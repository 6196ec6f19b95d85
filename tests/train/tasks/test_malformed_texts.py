"""A bad file is refused in one line, or is learned from: no trace, whatever is in it."""

from dataclasses import replace

import pytest
from malformed_texts import malformed

from lstm_jax.configs import text as recipe
from lstm_jax.errors import UserError
from lstm_jax.train.config import check
from lstm_jax.train.data.shards import pieces, store
from lstm_jax.train.tasks.text.look import look_at_texts

FILES = dict(malformed(seed=0))
NEVER = ("nothing", "a blank", "line feeds", "a mark", "one character", "zeros", "a zero", "utf-16")


def look(path, **fields):
    return look_at_texts(replace(recipe.config, file=(str(path),), **fields))


def attempt(path, **fields):
    """What was refused, or what was found."""
    try:
        return "", look(path, **fields)
    except UserError as error:
        return str(error), None


@pytest.mark.parametrize("name", FILES)
def test_it_is_refused_in_one_line_or_learned_from(name, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(FILES[name])
    refused = 0
    for unit in ("character", "word", "byte"):
        for texts in ("auto", "line", "paragraph"):
            said, found = attempt(path, unit=unit, texts=texts)
            assert "\n" not in said
            refused += found is None
            if found is not None:
                check(found.config)
                assert sum(map(len, found.task.train)) >= 200
                assert found.say()
                assert len(found.task.epoch(0)) >= 1
    assert refused == 9 or name not in NEVER


@pytest.mark.parametrize("name", FILES)
def test_read_from_the_disk_it_is_refused_or_learned_from_too(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pieces, "PIECE", 60)
    monkeypatch.setattr(store, "BLOCK", 60)
    path = tmp_path / "text.txt"
    path.write_bytes(FILES[name])
    refused = 0
    for unit in ("character", "word"):
        said, found = attempt(path, unit=unit, stream=True, valid=0.2, test=0)
        assert "\n" not in said
        refused += found is None
        if found is not None:
            check(found.config)
            assert found.say()
            assert found.task.epoch(0)[0].weights.any()
    assert refused == 2 or name not in NEVER


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a picture", r"line 1, is not UTF-8 text \(byte 0x89\)"),
        (
            "a zero",
            r"line 120, is not UTF-8 text \(byte 0x00\): it is binary",
        ),
        ("utf-16", r"it looks like utf-16: give --encoding utf-16"),
        ("latin-1", r"line 1, is not UTF-8 text \(byte 0xe9\): save it as UTF-8, or name its"),
        ("cut in a character", r"line 120, is not UTF-8 text \(byte 0xe5\)"),
        ("line feeds", r"there is no text in .*text\.txt"),
        ("a program", r"it is binary, but a text file is expected"),
        ("utf-16-le", r"it looks like utf-16-le: give --encoding utf-16-le"),
    ],
)
def test_what_is_wrong_and_where_is_said(name, said, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(FILES[name])
    with pytest.raises(UserError, match=said):
        look(path)


def test_a_folder_of_them_names_the_one_that_is_bad(tmp_path):
    for name in ("tabs", "returns", "latin-1"):
        (tmp_path / f"{name}.txt").write_bytes(FILES[name])
    with pytest.raises(UserError, match=r"latin-1\.txt, line 1, is not UTF-8 text"):
        look(tmp_path / "*.txt")
