"""Texts that a user gives: in a file, or on the command line."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from lstm_jax.errors import UserError

CHUNK = 2**22  # bytes of a long file that are read at a time
FIRST = 4096  # bytes by which an encoding is guessed
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
    except OSError as error:
        raise TextFileError(f"{path} cannot be read: {error.strerror}") from None
    try:
        text = content.decode(encoding or "utf-8-sig")  # Notepad writes the mark
    except UnicodeDecodeError as error:
        raise _not_text(path, content, encoding, error.start) from None
    except (LookupError, UnicodeError):
        raise _no_encoding(encoding) from None
    if encoding is None and "\0" in text:
        raise _not_text(path, content, encoding, content.index(0))
    return content, text.replace("\r\n", "\n").replace("\r", "\n")


def read_chunks(
    path: Path, encoding: str | None = None, *, size: int = CHUNK
) -> Iterator[tuple[int, str]]:
    """Read a text file of any length, some of it at a time.

    Args:
        path: of the file.
        encoding: as in `read_text`.
        size: bytes read at a time.

    Yields:
        How many bytes were read, and the text that they end, with one line feed at the end of each
        line. The texts joined are what `read_text` gives.

    Raises:
        TextFileError: it cannot be read, or is of another encoding; it says at which byte.
    """
    decoder = io.IncrementalNewlineDecoder(_decoder(encoding), translate=True)
    before = lines = 0
    try:
        with path.open("rb") as file:
            first = file.read(FIRST)
            file.seek(0)
            while True:
                content = file.read(size)
                text, at, value = _decoded(decoder, content, encoding)
                if text is None:
                    line = lines + content[: max(at, 0)].count(b"\n") + 1
                    place = f"line {line:,}, byte {before + at:,},"
                    raise _refused(path, place, value, encoding, first, b"\0" in first + content)
                yield len(content), text
                if not content:
                    return
                before += len(content)
                lines += content.count(b"\n")
    except OSError as error:
        raise TextFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeError as error:
        raise TextFileError(f"{path} is not {encoding} text: {error}") from None


def _decoded(
    decoder: io.IncrementalNewlineDecoder, content: bytes, encoding: str | None
) -> tuple[str | None, int, int]:
    """Decode a chunk; of one that is no text, give None, where the bad byte is, and the byte."""
    try:
        text = decoder.decode(content, final=not content)
    except UnicodeDecodeError as error:
        # What was left of the chunk before stands in front of this one.
        return None, len(content) - len(error.object) + error.start, error.object[error.start]
    if encoding is None and b"\0" in content:
        return None, content.index(0), 0
    return text, 0, 0


def _decoder(encoding: str | None) -> codecs.IncrementalDecoder:
    try:
        "".encode(encoding or "utf-8")  # some that `codecs` knows are of no text, such as hex
        return codecs.getincrementaldecoder(encoding or "utf-8-sig")()
    except (LookupError, UnicodeError):
        raise _no_encoding(encoding) from None


def _not_text(path: Path, content: bytes, encoding: str | None, at: int) -> TextFileError:
    """Say that bytes are no text, or of which encoding they may be."""
    line = content[:at].count(b"\n") + 1
    return _refused(path, f"line {line:,},", content[at], encoding, content, b"\0" in content)


def _refused(
    path: Path, place: str, value: int, encoding: str | None, first: bytes, binary: bool
) -> TextFileError:
    guess = _encoding_of(first)
    if guess:
        known = f"it looks like {guess}: give --encoding {guess}"
    elif binary:
        known = "it is binary, and a text is expected"
    else:
        known = "save it as UTF-8, or name its encoding with --encoding, such as latin-1 or gb18030"
    return TextFileError(
        f"{path}, {place} is not {encoding or 'UTF-8'} text (byte 0x{value:02x}): {known}"
    )


def _no_encoding(encoding: str | None) -> TextFileError:
    return TextFileError(f"there is no encoding {encoding!r}: latin-1, cp1252 and gb18030 are some")


def _encoding_of(content: bytes) -> str | None:
    """Guess an encoding where it can be known; the many eight-bit ones cannot be told apart."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Of the two bytes of a Latin letter one is 0, always the same one.
    for name, first in (("utf-16-be", 0), ("utf-16-le", 1)):
        zeros, others = (content[:FIRST][place::2] for place in (first, 1 - first))
        if zeros.count(0) > len(zeros) // 2 and others.count(0) < len(others) // 20 + 1:
            return name
    return None


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
