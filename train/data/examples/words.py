"""Splitting of texts of any language into words, punctuation marks, and characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Literal

Unit = Literal["word", "character"]

# Thai, Lao, Burmese, Khmer; kana; Han, with its extensions and compatibility forms.
_NO_BLANKS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_SIGN = re.compile(f"[{_NO_BLANKS}]")


def split(text: str, unit: Unit) -> tuple[str, ...]:
    """Split a text, in lower case and with composed characters (NFC).

    Args:
        text: a text in any language.
        unit: a word is a run of letters and digits, with apostrophes between them; any other
            sign, and each character of a script without blanks between words, is a word of its
            own. If the unit is a character, a run of blanks counts as one character.
    """
    text = unicodedata.normalize("NFC", text).lower()
    if unit == "character":
        return tuple(" ".join(text.split()))
    return tuple(_words().findall(text))


def tokens(text: str) -> tuple[str, ...]:
    """Split a text at blanks, without any other change."""
    return tuple(text.split())


def unit_of(texts: Iterable[str]) -> Unit:
    """Choose the unit for texts: characters if their script has no blanks, otherwise words."""
    letters = signs = 0
    for text in texts:
        letters += sum(map(str.isalpha, text))
        signs += len(_SIGN.findall(text))
    return "character" if 2 * signs > letters else "word"


def plain(text: str) -> str:
    """Normalize a text, so that texts that differ only in case and blanks become equal."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


@cache
def _words() -> re.Pattern[str]:
    # Vowel signs and accents combine with a letter, but `re` does not count them as letters.
    signs = [chr(code) for code in range(0x10000) if unicodedata.category(chr(code))[0] == "M"]
    marks = "".join(signs)
    letter = rf"(?:[^\W{_NO_BLANKS}]|[{marks}])"
    single = rf"[{_NO_BLANKS}][{marks}]*"
    return re.compile(rf"{single}|{letter}+(?:['’]{letter}+)*|[^\s]")
