"""What a line of Chinese verse is: a run of characters that punctuation ends."""

from __future__ import annotations

import re

FULL_STOPS = "。！？"
MARKS = f"{FULL_STOPS}，；：、"

_FULL_STOP = re.compile(f"([{FULL_STOPS}])")
_RUN_OF_MARKS = re.compile(f"[{MARKS}]+")


def lines(poem: str) -> list[str]:
    """Split a poem into its lines.

    Args:
        poem: any text; what stands outside of `MARKS` counts as characters.

    Returns:
        The runs between punctuation, none of them empty.
    """
    return [line for line in _RUN_OF_MARKS.split(poem) if line]


def end_of_lines(text: str) -> int:
    """Find where the last whole line of a text ends.

    Args:
        text: the beginning of a poem; it may break off within a line.

    Returns:
        The index just after the last punctuation; 0 if there is none.
    """
    return max(text.rfind(mark) for mark in MARKS) + 1


def break_lines(text: str) -> str:
    """Put a line break after each full stop.

    Args:
        text: a poem, or any part of one.

    Returns:
        The text as it is to be shown; it ends in a line break where it ends in a full stop.
    """
    return _FULL_STOP.sub(r"\1\n", text)
