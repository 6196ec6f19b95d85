"""The nearest of many lines to one, by edit distance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class Lines:
    """Hold distinct lines, to look others up among them.

    Args:
        lines: one at least, of any length but 0.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = tuple(dict.fromkeys(lines))
        self._known = frozenset(self._lines)
        self._lengths = np.array([len(line) for line in self._lines])
        # By columns: each step of the distance reads one character of all lines.
        self._codes = np.zeros((self._lengths.max(), len(self._lines)), np.int32)
        for number, line in enumerate(self._lines):
            self._codes[: len(line), number] = [ord(character) for character in line]

    def __contains__(self, line: object) -> bool:
        return line in self._known

    def __len__(self) -> int:
        return len(self._lines)

    def nearest(self, line: str) -> tuple[str, int]:
        """Find the line that takes the fewest edits.

        Args:
            line: any.

        Returns:
            The first of the nearest lines, and how many characters must be replaced, put in or
            left out to make it of the one that was given.
        """
        # Levenshtein's table, a row for each character of `line`, over all lines at once.
        distances = np.tile(np.arange(len(self._codes) + 1, dtype=np.int16)[:, None], len(self))
        for number, character in enumerate(line):
            before = distances.copy()
            distances[0] = number + 1
            for column, codes in enumerate(self._codes):
                replaced = before[column] + (codes != ord(character))
                shorter = np.minimum(before[column + 1], distances[column]) + 1
                distances[column + 1] = np.minimum(replaced, shorter)
        totals = distances[self._lengths, np.arange(len(self))]
        found = int(totals.argmin())
        return self._lines[found], int(totals[found])
