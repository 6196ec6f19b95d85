"""Search for the nearest of many lines, by edit distance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class Lines:
    """Store distinct lines, and search them.

    Args:
        lines: at least one line; none of them may be empty.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = tuple(dict.fromkeys(lines))
        self._known = frozenset(self._lines)
        self._lengths = np.array([len(line) for line in self._lines])
        # One column per line, because each step of the distance reads one character of every line.
        self._codes = np.zeros((self._lengths.max(), len(self._lines)), np.int32)
        for number, line in enumerate(self._lines):
            self._codes[: len(line), number] = [ord(character) for character in line]

    def __contains__(self, line: object) -> bool:
        return line in self._known

    def __len__(self) -> int:
        return len(self._lines)

    def nearest(self, line: str) -> tuple[str, int]:
        """Find the nearest line.

        Args:
            line: the line to compare with.

        Returns:
            The first of the nearest lines, and its distance: the number of characters that must be
            replaced, inserted or deleted to turn one line into the other.
        """
        # Levenshtein's table for all lines at once, with a row for each character of `line`.
        distances = np.tile(np.arange(len(self._codes) + 1, dtype=np.int16)[:, None], len(self))
        for number, character in enumerate(line):
            before = distances.copy()
            distances[0] = number + 1
            for column, codes in enumerate(self._codes):
                replaced = before[column] + (codes != ord(character))
                shorter = np.minimum(before[column + 1], distances[column]) + 1
                distances[column + 1] = np.minimum(replaced, shorter)
        totals = distances[self._lengths, np.arange(len(self))]
        index = int(totals.argmin())
        return self._lines[index], int(totals[index])
