"""The symbols of texts, counted and numbered by arrays: a text of gigabytes has billions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.units import to_bytes, words

CODES = 0x110000  # numbers of characters in Unicode
MOST_WORDS = 2**20  # different words counted at a time
WORDS = 2**16 - 2  # of them kept: their ids, with two more, fit 16 bits

WRITTEN: Mapping[str, Callable[[str], str]] = {"character": str, "byte": to_bytes}
"""The units whose symbols are characters -> a text as its symbols, joined."""


class Characters:
    """Count characters, or bytes, which are written as characters."""

    def __init__(self, unit: str) -> None:
        self._written = WRITTEN[unit]
        self._counts = np.zeros(CODES, np.int64)

    @property
    def total(self) -> int:
        """How many were counted."""
        return int(self._counts.sum())

    def add(self, texts: Sequence[str]) -> None:
        """Count the symbols of some texts."""
        found = np.bincount(_codes(map(self._written, texts)))
        self._counts[: len(found)] += found

    def found(self) -> dict[str, int]:
        """Give how often each was seen."""
        there = np.flatnonzero(self._counts)
        return {chr(code): int(self._counts[code]) for code in there}


class Words:
    """Count words, in a bounded memory.

    Where there are more different ones than `MOST_WORDS`, the rarest are forgotten, and counted
    from 0 if they come again.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._least = 1
        self.total = 0
        """How many were counted, those that were forgotten included."""

    def add(self, texts: Sequence[str]) -> None:
        """Count the words of some texts."""
        for text in texts:
            found = words(text)
            self._counts.update(found)
            self.total += len(found)
        while len(self._counts) > MOST_WORDS:
            kept = {word: count for word, count in self._counts.items() if count > self._least}
            self._counts = Counter(kept)
            self._least += 1

    def found(self) -> dict[str, int]:
        """Give how often each was seen."""
        return dict(self._counts)


def counter(unit: str) -> Characters | Words:
    """Make what counts the symbols of a unit.

    Args:
        unit: "character", "word" or "byte".
    """
    return Words() if unit == "word" else Characters(unit)


def table(counts: Mapping[str, int], unit: str) -> dict[str, int]:
    """Take the symbols that are numbered, with their counts.

    Args:
        counts: of all that were seen.
        unit: of the symbols.

    Returns:
        The most frequent first, as in a `Vocabulary` of all of them: that of a higher `min_count`
        is its beginning. Of very many words the rarest are left out.
    """
    every = Vocabulary.from_counts(counts, min_count=1).characters
    return {symbol: counts[symbol] for symbol in (every[:WORDS] if unit == "word" else every)}


class Encoder:
    """Number the symbols of texts.

    Args:
        unit: of the texts.
        symbols: the most frequent first; symbol i has the id i + 2, as in a `Vocabulary`.
    """

    def __init__(self, unit: str, symbols: Sequence[str]) -> None:
        size = len(symbols) + 2
        self.dtype = np.dtype("u1" if size <= 2**8 else "<u2" if size <= 2**16 else "<u4")
        self._unit = unit
        ids = np.arange(2, size, dtype=self.dtype)
        if self._unit == "word":
            self._ids = dict(zip(symbols, ids.tolist(), strict=True))
        else:
            self._by_code = np.full(CODES, Vocabulary.unknown_id, self.dtype)
            self._by_code[_codes(symbols)] = ids

    def encode(self, texts: Sequence[str], ends: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
        """Give the ids of texts, one after the other, with END behind those that end.

        Args:
            texts: to encode.
            ends: of each, whether it ends.

        Returns:
            All ids, of `dtype`; and how many are each text's, its END included.
        """
        if self._unit == "word":
            cut = list(map(words, texts))
            get, unknown = self._ids.get, Vocabulary.unknown_id
            every = (get(word, unknown) for word in chain.from_iterable(cut))
            ids = np.fromiter(every, self.dtype, sum(map(len, cut)))
        else:
            cut = list(map(WRITTEN[self._unit], texts))
            ids = self._by_code[_codes(cut)]
        sizes = np.fromiter(map(len, cut), np.int64, len(cut))
        ended = np.asarray(ends, bool)
        places = np.cumsum(sizes)[ended]
        return np.insert(ids, places, Vocabulary.end_id), sizes + ended


def _codes(symbols: Iterable[str]) -> np.ndarray:
    """Give the number of each character, in Unicode."""
    joined = "".join(symbols)
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
