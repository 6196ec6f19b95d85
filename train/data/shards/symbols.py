"""Counting and numbering of symbols with arrays, because gigabytes of text hold billions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.text.units import to_bytes, words

CODES = 0x110000  # number of code points in Unicode
MOST_WORDS = 2**20  # different words that are counted at a time
WORDS = 2**16 - 2  # words that are kept; their ids and two more fit in 16 bits

WRITTEN: Mapping[str, Callable[[str], str]] = {"character": str, "byte": to_bytes}
"""Unit whose symbols are characters -> function from a text to its symbols, joined."""


class Characters:
    """Count characters, or bytes that are represented as characters."""

    def __init__(self, unit: str) -> None:
        self._written = WRITTEN[unit]
        self._counts = np.zeros(CODES, np.int64)

    @property
    def total(self) -> int:
        """Return the number of symbols counted."""
        return int(self._counts.sum())

    def add(self, texts: Sequence[str]) -> None:
        """Count the symbols of texts."""
        counts = np.bincount(_codes(map(self._written, texts)))
        self._counts[: len(counts)] += counts

    def counts(self) -> dict[str, int]:
        """Return the count of each symbol."""
        codes = np.flatnonzero(self._counts)
        return {chr(code): int(self._counts[code]) for code in codes}


class Words:
    """Count words in bounded memory.

    If there are more than `MOST_WORDS` different words, the rarest are forgotten, and counted from
    0 if they appear again.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._least = 1
        self.total = 0
        """Number of words counted, including those that were forgotten."""

    def add(self, texts: Sequence[str]) -> None:
        """Count the words of texts."""
        for text in texts:
            tokens = words(text)
            self._counts.update(tokens)
            self.total += len(tokens)
        while len(self._counts) > MOST_WORDS:
            kept = {word: count for word, count in self._counts.items() if count > self._least}
            self._counts = Counter(kept)
            self._least += 1

    def counts(self) -> dict[str, int]:
        """Return the count of each word that was not forgotten."""
        return dict(self._counts)


def counter(unit: str) -> Characters | Words:
    """Create a counter for the symbols of a unit.

    Args:
        unit: "character", "word" or "byte".
    """
    return Words() if unit == "word" else Characters(unit)


def table(counts: Mapping[str, int], unit: str) -> dict[str, int]:
    """Select the symbols that get a number, with their counts.

    Args:
        counts: the counts of all symbols.
        unit: unit of the symbols.

    Returns:
        The symbols in the order of a `Vocabulary`, the most frequent first, so that a vocabulary
        with a higher `min_count` is a beginning of this table. If there are very many words, the
        rarest are left out.
    """
    every = Vocabulary.from_counts(counts, min_count=1).characters
    return {symbol: counts[symbol] for symbol in (every[:WORDS] if unit == "word" else every)}


class Encoder:
    """Number the symbols of texts.

    Args:
        unit: unit of the symbols.
        symbols: the symbols, the most frequent first; symbol i has the id i + 2, as in a
            `Vocabulary`.
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
        """Encode texts as ids, with END after each text that ends.

        Args:
            texts: the texts to encode.
            ends: whether each text ends, or is a piece that continues.

        Returns:
            The ids of all texts, joined, of type `dtype`; and the number of ids of each text,
            including its END.
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
    """Return the code points of all characters."""
    joined = "".join(symbols)
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
