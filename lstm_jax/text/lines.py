"""Texts that a user gives: in a file, or on the command line."""

from __future__ import annotations

from pathlib import Path

from lstm_jax.errors import UserError


class TextFileError(UserError, ValueError):
    """A file that holds no texts, or cannot be read."""


class TextError(UserError, ValueError):
    """An argument that is no text."""


def text_of(argument: str, name: str) -> str:
    """Give an argument that is a text, and no path, which may be any bytes.

    What the locale's encoding does not hold, Python hands on as lone surrogates, one for each byte:
    in a locale of ASCII that is every character of a Chinese text.

    Args:
        argument: as it stands on the command line.
        name: what to call it.

    Returns:
        The text that its bytes are in UTF-8.

    Raises:
        TextError: bytes that are none.
    """
    if not any("\ud800" <= character <= "\udfff" for character in argument):
        return argument
    try:
        return argument.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        raise TextError(f"{name} {argument!r} is not UTF-8 text: write it in UTF-8") from None


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
