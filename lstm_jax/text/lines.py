"""Texts that a user gives: in a file, or on the command line."""

from __future__ import annotations

import codecs
from pathlib import Path

from lstm_jax.errors import UserError

CONTROLS = {
    code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"
}


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


def printable(text: str) -> str:
    """Spell out the control characters of a text, line feeds and tabs apart.

    A terminal obeys them, and a model writes whatever characters it was trained on.

    Args:
        text: for a terminal.

    Returns:
        The text, an escape character as the four signs of \\x1b.
    """
    return text.translate(CONTROLS)


def read_text(path: Path, encoding: str | None = None) -> tuple[bytes, str]:
    """Read a text file.

    Args:
        path: of the file.
        encoding: as Python names it, such as "gb18030"; UTF-8, with or without a byte order mark,
            if None.

    Returns:
        What is in the file, and its text, with one line feed at the end of each line.

    Raises:
        TextFileError: it cannot be read, or is of another encoding; it says where.
    """
    try:
        content = path.read_bytes()
        text = content.decode(encoding or "utf-8-sig")  # Notepad writes the mark
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        guess = _encoding_of(content)
        known = (
            f"it looks like {guess}: give --encoding {guess}"
            if guess
            else (
                "save it as UTF-8, or name its encoding with --encoding, such as latin-1 or gb18030"
            )
        )
        byte = content[error.start]
        raise TextFileError(
            f"{path}, line {line:,}, is not {encoding or 'UTF-8'} text (byte 0x{byte:02x}): {known}"
        ) from None
    except LookupError:
        raise TextFileError(
            f"there is no encoding {encoding!r}: latin-1, cp1252 and gb18030 are some"
        ) from None
    except OSError as error:
        raise TextFileError(f"{path} cannot be read: {error.strerror}") from None
    return content, text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding_of(content: bytes) -> str | None:
    """Guess an encoding where it can be known; the many eight-bit ones cannot be told apart."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = content[:4096]
    return "utf-16" if start.count(0) > len(start) // 4 else None


def read_lines(path: Path) -> tuple[str, ...]:
    """Read the lines of a UTF-8 file that are not blank, without the blanks around them.

    Args:
        path: one text a line; a byte order mark is no part of the first.

    Returns:
        The texts, at least one.

    Raises:
        TextFileError: it cannot be read, or holds none.
    """
    _, text = read_text(path)
    # Not splitlines: U+2028 and a form feed stand within a line of a file.
    lines = tuple(line.strip() for line in text.split("\n") if line.strip())
    if not lines:
        raise TextFileError(f"{path} holds no text: one text a line is expected")
    return lines
