"""What a language model reads one at a time: characters, words or bytes.

Each unit loses nothing: what `split` gives, joined, is the text again.
"""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# Han and Kana are written without blanks between words, so each of them is a word of its own.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
JOINERS = "\u200c\u200d"  # inside words of Persian and of India's languages

Writer: TypeAlias = Callable[[str, bool], str]
"""`write(symbols, last)`: the text of symbols as they come; what a byte is may hang on the next."""


@dataclass(frozen=True)
class Unit:
    """A way to cut a text into symbols.

    Attributes:
        name: as on the command line.
        plural: of the name.
        split: a text -> its symbols, which are strings.
        writer: makes a `Writer` for one text.
        show: a symbol -> how it is shown to a person.
    """

    name: str
    plural: str
    split: Callable[[str], Sequence[str]]
    writer: Callable[[], Writer]
    show: Callable[[str], str] = str

    def join(self, symbols: Sequence[str]) -> str:
        """Give the text of some symbols.

        Args:
            symbols: what `split` gave, or part of it.
        """
        return self.writer()("".join(symbols), True)


def words(text: str) -> list[str]:
    """Cut a text into words, marks and blanks; a single blank before a word belongs to it.

    Args:
        text: of any script. Marks that combine with letters belong to the word; of scripts without
            blanks between words, Han and Kana are cut into characters, and the others are not cut.

    Returns:
        Words that give the text when they are joined.
    """
    combining = {c for c in set(text) if unicodedata.category(c).startswith("M")}
    return _pattern("".join(sorted(combining))).findall(text)


def to_bytes(text: str) -> str:
    """Write a text's UTF-8 bytes, each as the character of its number, U+0000 to U+00FF.

    Args:
        text: any; a lone surrogate becomes U+FFFD.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode().decode("l1")


@functools.lru_cache(maxsize=64)
def _pattern(combining: str) -> re.Pattern[str]:
    marks = rf"{JOINERS}{re.escape(combining)}"
    word = rf"(?:(?![{UNSPACED}])[\w{marks}])+"
    return re.compile(rf" ?{word}(?:['’]{word})*| ?[{UNSPACED}][{marks}]*| ?[^\s\w{marks}]|\s")


def _as_it_is() -> Writer:
    return lambda symbols, last: symbols


def _from_bytes() -> Writer:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return lambda symbols, last: decoder.decode(symbols.encode("l1"), last)


def _show_byte(symbol: str) -> str:
    return symbol.encode("l1").decode("utf-8", "backslashreplace")


UNITS: Mapping[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("character", "characters", str, _as_it_is),
        Unit("word", "words", words, _as_it_is),
        Unit("byte", "bytes", to_bytes, _from_bytes, _show_byte),
    )
}
"""Every unit by its name."""

ALL_BYTES = tuple(map(chr, range(256)))
"""The symbols of the unit "byte"."""
