"""Simplified and traditional Chinese, through OpenCC."""

from __future__ import annotations

from functools import cache
from typing import Any


def to_simplified(text: str) -> str:
    """The text in simplified script."""
    return _converter("t2s").convert(text)


def to_traditional(text: str) -> str:
    """A simplified text in traditional script; one that is traditional already stays as it is.

    A text counts as traditional where simplifying it changes it. Characters that both scripts
    share (後 and 后, 雲 and 云) are told apart by OpenCC from the words around them.
    """
    if to_simplified(text) != text:
        return text
    return _converter("s2t").convert(text)


@cache
def _converter(name: str) -> Any:
    from opencc import OpenCC

    return OpenCC(name)
