"""Texts of any language as words: punctuation on its own, and signs of scripts without blanks."""

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
    """Split a text, in lower case and with its characters composed (NFC).

    Args:
        text: of any language.
        unit: words are runs of letters and digits, with apostrophes between them; every other
            sign, and each character of a script that puts no blanks between words, is a word of
            its own. Characters are all but blanks, of which a run counts as one.
    """
    text = unicodedata.normalize("NFC", text).lower()
    if unit == "character":
        return tuple(" ".join(text.split()))
    return tuple(_words().findall(text))


def tokens(text: str) -> tuple[str, ...]:
    """Split a text at its blanks, and change nothing else."""
    return tuple(text.split())


def unit_of(texts: Iterable[str]) -> Unit:
    """Choose what texts are to be split into: characters, where their script has no blanks."""
    letters = signs = 0
    for text in texts:
        letters += sum(map(str.isalpha, text))
        signs += len(_SIGN.findall(text))
    return "character" if 2 * signs > letters else "word"


def plain(text: str) -> str:
    """Give a text by which those that differ in case and blanks alone are equal."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


@cache
def _words() -> re.Pattern[str]:
    # Vowel signs and accents, which combine with a letter, are none themselves to `re`.
    signs = [chr(code) for code in range(0x10000) if unicodedata.category(chr(code))[0] == "M"]
    marks = "".join(signs)
    letter = rf"(?:[^\W{_NO_BLANKS}]|[{marks}])"
    own = rf"[{_NO_BLANKS}][{marks}]*"
    return re.compile(rf"{own}|{letter}+(?:['’]{letter}+)*|[^\s]")
