"""Texts of files of any length: whole where they are short, in pieces where they are long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lstm_jax.text.lines import read_chunks
from lstm_jax.train.data.corpus import BLANK_LINES, parts_of

PIECE = 2**16  # characters; a longer text is cut


class Pieces(NamedTuple):
    """Texts one after the other, some of them cut.

    Args:
        texts: whole texts, and pieces of longer ones.
        ends: of each, whether its text ends with it.
    """

    texts: list[str]
    ends: list[bool]


def read_pieces(
    path: Path, encoding: str | None, texts: str, *, read: Callable[[int], None]
) -> Iterator[Pieces]:
    """Read the texts of a file, a few at a time.

    Args:
        path: of the file.
        encoding: of it; UTF-8 if None.
        texts: what a text is: "file", "line" or "paragraph", as in `corpus.cut`.
        read: is told how many bytes were read.

    Yields:
        The texts that `corpus.cut` gives. One of more than `PIECE` characters is in pieces, which
        joined are the text; where it is cut hangs on its characters alone.

    Raises:
        TextFileError: it cannot be read, or is of another encoding; it says at which byte.
    """
    rest, begun = "", False  # a text whose end was not read yet; whether a piece of it was given
    for size, chunk in read_chunks(path, encoding):
        read(size)
        whole, rest = _apart(rest + chunk, texts) if size else (parts_of(rest + chunk, texts), "")
        found, ends = [], []
        for text in whole:
            if len(text) > PIECE:
                *some, text = cut(text)
                found += some
                ends += [False] * len(some)
                begun = True
            if begun or text.strip():
                found.append(text)
                ends.append(True)
            begun = False
        if len(rest) > PIECE:
            if texts == "paragraph" and not begun:
                rest = rest.lstrip("\n")
            *some, rest = cut(rest)
            found += some
            ends += [False] * len(some)
            begun = True
        yield Pieces(found, ends)


def cut(text: str) -> list[str]:
    """Cut a text into pieces of at most `PIECE` characters.

    Args:
        text: any.

    Returns:
        The pieces, at least one. Each ends with the last line that fits, else before the last
        blank, else where it must: no word is cut that need not be.
    """
    pieces, start = [], 0
    while len(text) - start > PIECE:
        line = text.rfind("\n", start, start + PIECE) + 1  # 0 if there is none
        blank = text.rfind(" ", start + 1, start + PIECE)
        end = line or (blank if blank > 0 else start + PIECE)
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]


def _apart(text: str, texts: str) -> tuple[list[str], str]:
    """Cut off the texts that are there whole, whatever follows; and give the rest."""
    if texts == "file":
        return [], text
    end = text.rfind("\n") + 1
    if texts == "paragraph":
        # More blank lines may follow the last ones: those stay with the rest.
        end = max((match.start() for match in BLANK_LINES.finditer(text)), default=0)
    return (parts_of(text[:end], texts) if end else []), text[end:]
