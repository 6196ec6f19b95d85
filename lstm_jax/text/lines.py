"""Texts that a user keeps in a file."""

from __future__ import annotations

from pathlib import Path

from lstm_jax.errors import UserError


class TextFileError(UserError, ValueError):
    """A file that holds no texts, or cannot be read."""


def read_lines(path: Path) -> tuple[str, ...]:
    """Read the lines of a UTF-8 file that are not blank, without the blanks around them.

    Args:
        path: one text a line; a byte order mark is no part of the first.

    Returns:
        The texts, at least one.

    Raises:
        TextFileError: it cannot be read, or holds none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Notepad writes the mark
    except (OSError, UnicodeDecodeError) as error:
        raise TextFileError(f"{path} cannot be read as UTF-8 text: {error}") from None
    # Not splitlines: U+2028 and a form feed stand within a line of a file. The three ends of lines
    # were made one when the file was read.
    lines = tuple(line.strip() for line in text.split("\n") if line.strip())
    if not lines:
        raise TextFileError(f"{path} holds no text: one text a line is expected")
    return lines
