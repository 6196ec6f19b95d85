"""Lines of Chinese verse: runs of characters that end in punctuation."""

from __future__ import annotations

import re

FULL_STOPS = "。！？"
MARKS = f"{FULL_STOPS}，；：、"

_FULL_STOP = re.compile(f"([{FULL_STOPS}])")
_RUN_OF_MARKS = re.compile(f"[{MARKS}]+")


def lines(poem: str) -> list[str]:
    """Split a poem into its lines.

    Args:
        poem: any text; everything outside of `MARKS` counts as characters.

    Returns:
        The runs between punctuation marks, none of them empty.
    """
    return [line for line in _RUN_OF_MARKS.split(poem) if line]


def end_of_lines(text: str) -> int:
    """Find the end of the last complete line of a text.

    Args:
        text: the beginning of a poem; it may break off within a line.

    Returns:
        The index just after the last punctuation mark, 0 without any.
    """
    return max(text.rfind(mark) for mark in MARKS) + 1


def break_lines(text: str) -> str:
    """Put a line break after each full stop.

    Args:
        text: a poem, or any part of one.

    Returns:
        The text to show; it ends in a line break if it ends in a full stop.
    """
    return _FULL_STOP.sub(r"\1\n", text)
