"""Simplified and traditional Chinese, through OpenCC."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC


def to_simplified(text: str) -> str:
    """Write a text in simplified script.

    Args:
        text: in traditional script, or in simplified script, which does not change.

    Returns:
        The text, converted phrase by phrase.
    """
    return _converter("t2s").convert(text)


def to_traditional(text: str) -> str:
    """Write a simplified text in traditional script; a text that is already traditional stays so.

    A text counts as traditional if simplifying it changes it. Where one simplified character
    stands for several traditional ones (后 for 後 and 后, 云 for 雲 and 云), OpenCC decides by the
    words around it.

    Args:
        text: in either script.

    Returns:
        The text in traditional script.
    """
    if to_simplified(text) != text:
        return text
    return _converter("s2t").convert(text)


def in_known_script(text: str, unknown: Callable[[str], str]) -> str:
    """Write a text in the script, simplified or traditional, of which a model knows more.

    Args:
        text: in either script.
        unknown: returns the characters of a text that the model does not know.

    Returns:
        The text in the script that leaves the fewest characters unknown; unchanged if neither
        conversion helps.
    """
    if not unknown(text) or any("\ud800" <= character <= "\udfff" for character in text):
        return text  # all of it is known, or it holds a lone surrogate, which OpenCC cannot read
    versions = (text, to_traditional(text), to_simplified(text))
    aligned = [version for version in versions if len(version) == len(text)]
    return min(aligned, key=lambda version: len(unknown(version)))


@cache
def _converter(name: str) -> OpenCC:
    from opencc import OpenCC

    return OpenCC(name)
