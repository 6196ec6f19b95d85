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
        text: in traditional script, or in simplified, which stays as it is.

    Returns:
        The text converted phrase by phrase.
    """
    return _converter("t2s").convert(text)


def to_traditional(text: str) -> str:
    """Write a simplified text in traditional script; one that is traditional already stays so.

    A text counts as traditional where simplifying it changes it. Characters that both scripts
    share (後 and 后, 雲 and 云) are told apart by OpenCC from the words around them.

    Args:
        text: in either script.

    Returns:
        The text in traditional script.
    """
    if to_simplified(text) != text:
        return text
    return _converter("s2t").convert(text)


def in_known_script(text: str, unknown: Callable[[str], str]) -> str:
    """Write a text in the script, simplified or traditional, in which more of it is known.

    Args:
        text: in either script.
        unknown: gives the characters of a text that a model does not know.

    Returns:
        The text as it is where all of it is known, or where no other script knows more of it.
    """
    if not unknown(text) or any("\ud800" <= one <= "\udfff" for one in text):
        return text  # known, or with what is no character at all, which OpenCC does not read
    written = (text, to_traditional(text), to_simplified(text))
    return min((one for one in written if len(one) == len(text)), key=lambda one: len(unknown(one)))


@cache
def _converter(name: str) -> OpenCC:
    from opencc import OpenCC

    return OpenCC(name)
