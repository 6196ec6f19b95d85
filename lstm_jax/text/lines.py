"""Texts from a user's files and from the command line."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from lstm_jax.errors import UserError

CHUNK = 2**22  # bytes of a long file that are read at a time
FIRST = 4096  # bytes from which the encoding is guessed
CONTROLS = {
    code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"
}


class TextFileError(UserError, ValueError):
    """Report a file that holds no texts or cannot be read."""


class TextError(UserError, ValueError):
    """Report an argument that is not text."""


def text_of(argument: str, name: str) -> str:
    """Decode a command-line argument that is a text (a path, in contrast, may be any bytes).

    Python passes on bytes outside the locale's encoding as lone surrogates, one for each byte. In
    an ASCII locale this affects every character of a Chinese text.

    Args:
        argument: as Python received it.
        name: name of the argument in the error.

    Returns:
        The argument's bytes, decoded as UTF-8.

    Raises:
        TextError: if the bytes are not UTF-8.
    """
    if not any("\ud800" <= character <= "\udfff" for character in argument):
        return argument
    try:
        return argument.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        raise TextError(f"{name} {argument!r} is not UTF-8 text; type it in UTF-8") from None


def printable(text: str) -> str:
    """Replace the control characters of a text by escapes, except for line feeds and tabs.

    A terminal would obey them, and a model writes whatever characters it was trained on.

    Args:
        text: to be printed on a terminal.

    Returns:
        The text, where the escape character, for example, becomes the four characters \\x1b.
    """
    return text.translate(CONTROLS)


def read_text(path: Path, encoding: str | None = None) -> tuple[bytes, str]:
    """Read a text file.

    Args:
        path: of the file.
        encoding: Python's name of the encoding, such as "gb18030"; None is UTF-8, with or without
            a byte order mark.

    Returns:
        `(content, text)`: the bytes of the file, and its text with every line ending turned into
        a line feed.

    Raises:
        TextFileError: if the file cannot be read or is not in this encoding, with the place.
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
    """Read a text file of any length in chunks.

    Args:
        path: of the file.
        encoding: as in `read_text`.
        size: bytes read at a time.

    Yields:
        `(num_bytes, text)`: the number of bytes read and the text that they complete, with every
        line ending turned into a line feed. Joined, the texts equal that of `read_text`.

    Raises:
        TextFileError: if the file cannot be read or is not in this encoding, with the byte.
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
    """Decode a chunk, or return None, the position of the first bad byte, and that byte."""
    try:
        text = decoder.decode(content, final=not content)
    except UnicodeDecodeError as error:
        # The object begins with the bytes left over from the previous chunk.
        return None, len(content) - len(error.object) + error.start, error.object[error.start]
    if encoding is None and b"\0" in content:
        return None, content.index(0), 0
    return text, 0, 0


def _decoder(encoding: str | None) -> codecs.IncrementalDecoder:
    try:
        "".encode(encoding or "utf-8")  # `codecs` also knows some that are not text, such as hex
        return codecs.getincrementaldecoder(encoding or "utf-8-sig")()
    except (LookupError, UnicodeError):
        raise _no_encoding(encoding) from None


def _not_text(path: Path, content: bytes, encoding: str | None, at: int) -> TextFileError:
    """Build the error for bytes that are not text, with a guess at their encoding."""
    line = content[:at].count(b"\n") + 1
    return _refused(path, f"line {line:,},", content[at], encoding, content, b"\0" in content)


def _refused(
    path: Path, place: str, value: int, encoding: str | None, first: bytes, binary: bool
) -> TextFileError:
    guess = _encoding_of(first)
    if guess:
        advice = f"it looks like {guess}: give --encoding {guess}"
    elif binary:
        advice = "it is binary, but a text file is expected"
    else:
        advice = (
            "save it as UTF-8, or name its encoding with --encoding, such as latin-1 or gb18030"
        )
    return TextFileError(
        f"{path}, {place} is not {encoding or 'UTF-8'} text (byte 0x{value:02x}): {advice}"
    )


def _no_encoding(encoding: str | None) -> TextFileError:
    return TextFileError(
        f"there is no encoding {encoding!r}; use one such as latin-1, cp1252 or gb18030"
    )


def _encoding_of(content: bytes) -> str | None:
    """Guess UTF-16 from its bytes; the many eight-bit encodings cannot be told apart."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # One of the two bytes of a Latin letter is 0, always the same one.
    for name, first in (("utf-16-be", 0), ("utf-16-le", 1)):
        zeros, others = (content[:FIRST][place::2] for place in (first, 1 - first))
        if zeros.count(0) > len(zeros) // 2 and others.count(0) < len(others) // 20 + 1:
            return name
    return None


def read_lines(path: Path) -> tuple[str, ...]:
    """Read the lines of a UTF-8 file, without blank lines and without spaces around a line.

    Args:
        path: of a file with one text per line; a byte order mark is skipped.

    Returns:
        The texts, at least one.

    Raises:
        TextFileError: if the file cannot be read or holds no text.
    """
    _, text = read_text(path)
    # Not splitlines, which would also split at U+2028 and at form feeds.
    lines = tuple(line.strip() for line in text.split("\n") if line.strip())
    if not lines:
        raise TextFileError(f"{path} holds no text; one text per line is expected")
    return lines
