"""The symbols of a language model: characters, words or bytes.

Splitting loses nothing: the symbols that `split` returns, joined, are the text again.
"""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# Han and Kana are written without spaces between words, so each character counts as a word.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
JOINERS = "\u200c\u200d"  # inside words of Persian and of India's languages

Writer: TypeAlias = Callable[[str, bool], str]
"""`write(symbols, last)`: the text of the next symbols; a byte may have to wait for another."""


@dataclass(frozen=True)
class Unit:
    """Describe a way of splitting a text into symbols.

    Attributes:
        name: as on the command line.
        plural: of the name.
        split: text -> its symbols, which are strings.
        writer: returns a new `Writer`, for one text.
        show: symbol -> the symbol as it is shown to a person.
    """

    name: str
    plural: str
    split: Callable[[str], Sequence[str]]
    writer: Callable[[], Writer]
    show: Callable[[str], str] = str

    def join(self, symbols: Sequence[str]) -> str:
        """Join symbols into a text.

        Args:
            symbols: the result of `split`, or part of it.
        """
        return self.writer()("".join(symbols), True)


def words(text: str) -> list[str]:
    """Split a text into words, punctuation marks and spaces; a word includes one space before it.

    Args:
        text: in any script. Combining marks belong to their word. Among the scripts without spaces
            between words, Han and Kana are split into characters and the rest are not split.

    Returns:
        Words that give the text when they are joined.
    """
    combining = {c for c in set(text) if unicodedata.category(c).startswith("M")}
    return _pattern("".join(sorted(combining))).findall(text)


def to_bytes(text: str) -> str:
    """Encode a text as UTF-8, and write each byte as the character U+0000 to U+00FF of its value.

    Args:
        text: any text; a lone surrogate becomes U+FFFD.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode().decode("l1")


@functools.lru_cache(maxsize=64)
def _pattern(combining: str) -> re.Pattern[str]:
    marks = rf"{JOINERS}{re.escape(combining)}"
    word = rf"(?:(?![{UNSPACED}])[\w{marks}])+"
    return re.compile(rf" ?{word}(?:['’]{word})*| ?[{UNSPACED}][{marks}]*| ?[^\s\w{marks}]|\s")


def _unchanged() -> Writer:
    return lambda symbols, last: symbols


def _from_bytes() -> Writer:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return lambda symbols, last: decoder.decode(symbols.encode("l1"), last)


def _show_byte(symbol: str) -> str:
    return symbol.encode("l1").decode("utf-8", "backslashreplace")


UNITS: Mapping[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("character", "characters", str, _unchanged),
        Unit("word", "words", words, _unchanged),
        Unit("byte", "bytes", to_bytes, _from_bytes, _show_byte),
    )
}
"""Every unit by its name."""

ALL_BYTES = tuple(map(chr, range(256)))
"""The symbols of the unit "byte"."""
