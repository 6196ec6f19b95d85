"""Texts of files of any length: short texts are kept whole, long ones are cut into pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lstm_jax.text.lines import read_chunks
from lstm_jax.train.data.corpus import BLANK_LINES, parts_of

PIECE = 2**16  # characters in a piece; longer texts are cut


class Pieces(NamedTuple):
    """Store consecutive texts, some of them in pieces.

    Args:
        texts: whole texts, and pieces of longer ones.
        ends: for each entry, whether it ends a text.
    """

    texts: list[str]
    ends: list[bool]


def read_pieces(
    path: Path, encoding: str | None, texts: str, *, read: Callable[[int], None]
) -> Iterator[Pieces]:
    """Read the texts of a file, a few at a time.

    Args:
        path: the file.
        encoding: encoding of the file; UTF-8 if None.
        texts: unit of a text: "file", "line" or "paragraph", as in `corpus.cut`.
        read: called with the number of bytes of each read.

    Yields:
        The same texts as `corpus.cut` returns. A text of more than `PIECE` characters comes in
        pieces that join to the text; the cuts depend only on its characters.

    Raises:
        TextFileError: if the file cannot be read or has another encoding; the message names the
            byte.
    """
    rest, begun = "", False  # an unfinished text; whether a piece of it was yielded already
    for size, chunk in read_chunks(path, encoding):
        read(size)
        complete, rest = (
            _apart(rest + chunk, texts) if size else (parts_of(rest + chunk, texts), "")
        )
        pieces, ends = [], []
        for text in complete:
            if len(text) > PIECE:
                *parts, text = cut(text)
                pieces += parts
                ends += [False] * len(parts)
                begun = True
            if begun or text.strip():
                pieces.append(text)
                ends.append(True)
            begun = False
        if len(rest) > PIECE:
            if texts == "paragraph" and not begun:
                rest = rest.lstrip("\n")
            *parts, rest = cut(rest)
            pieces += parts
            ends += [False] * len(parts)
            begun = True
        yield Pieces(pieces, ends)


def cut(text: str) -> list[str]:
    """Cut a text into pieces of at most `PIECE` characters.

    Args:
        text: any text.

    Returns:
        At least one piece. Each piece ends after the last line that fits, otherwise before the
        last space that fits, otherwise inside a word.
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
    """Split off the texts that are complete, whatever follows, and return them and the rest."""
    if texts == "file":
        return [], text
    end = text.rfind("\n") + 1
    if texts == "paragraph":
        # More blank lines may follow the last ones, so those stay with the rest.
        end = max((match.start() for match in BLANK_LINES.finditer(text)), default=0)
    return (parts_of(text[:end], texts) if end else []), text[end:]
