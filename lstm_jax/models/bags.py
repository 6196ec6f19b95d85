"""Words that are also read by their spelling, so that an unknown word is not entirely unknown."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lstm_jax.models.vocabulary import Vocabulary

SHORTEST, LONGEST = 3, 5
MOST = 24
"""Number of n-grams after which the spelling of a long word is cut."""
NONE = -1
"""What stands in a bag after its last id."""


@dataclass(frozen=True)
class SpelledVocabulary(Vocabulary):
    """Give every word several ids: its own, and those of the n-grams of characters it consists of.

    The n-grams of a word are all parts of "<word>" with 3 to 5 characters; those of "<good>" are
    "<go", "goo", "ood", "od>" and so on. "unflinchingly" shares many with "flinch" and "lovingly",
    so a model can read it without having seen it (Bojanowski et al. 2017). Each n-gram has one of
    `grams` ids that follow those of the words: the CRC-32 of its UTF-8 bytes modulo `grams`.
    Several n-grams may share an id.

    Args:
        characters: the words, from id 2 on.
        grams: number of ids for n-grams.

    Raises:
        ValueError: if two words are the same, or there are no ids for n-grams.
    """

    grams: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grams < 1:
            raise ValueError(f"grams must be at least 1, got {self.grams}")

    def __len__(self) -> int:
        return super().__len__() + self.grams

    @property
    def digest(self) -> str:
        """Return the digest of the words, and the number of ids for n-grams."""
        return f"{super().digest}-{self.grams}"

    def encode(self, text: Sequence[str]) -> np.ndarray:
        """Convert words to bags of ids.

        Args:
            text: words.

        Returns:
            int32 (len(text), 1 + MOST): the word's own id, which is UNKNOWN if it is not in the
            vocabulary; the ids of its n-grams; and -1 after the last.
        """
        bags = np.full((len(text), 1 + MOST), NONE, np.int32)
        bags[:, 0] = super().encode(text)
        first = super().__len__()
        for bag, word in zip(bags, text, strict=True):
            hashes = hashes_of(word)
            bag[1 : 1 + len(hashes)] = [first + value % self.grams for value in hashes]
        return bags


@lru_cache(maxsize=1 << 16)
def hashes_of(word: str) -> tuple[int, ...]:
    """Return the CRC-32 of the n-grams of a word: each n-gram once, the shortest first."""
    marked = f"<{word}>"
    grams = dict.fromkeys(
        marked[start : start + size]
        for size in range(SHORTEST, LONGEST + 1)
        for start in range(len(marked) - size + 1)
    )
    return tuple(zlib.crc32(gram.encode("utf-8", "surrogatepass")) for gram in grams)[:MOST]


def spelled(vocabulary: Vocabulary, grams: int) -> Vocabulary:
    """Add the spelling to a vocabulary of words.

    Args:
        vocabulary: a vocabulary of words.
        grams: number of ids for n-grams; 0 returns the vocabulary itself.

    Returns:
        A `SpelledVocabulary`, or the vocabulary.
    """
    return SpelledVocabulary(vocabulary.characters, grams) if grams else vocabulary


def stored(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the fields of a vocabulary for a model's description.

    Args:
        vocabulary: a vocabulary, with or without spelling.
    """
    fields: dict[str, Any] = {"vocabulary": vocabulary.to_store()}
    if isinstance(vocabulary, SpelledVocabulary):
        fields["grams"] = vocabulary.grams
    return fields


def restored(description: Mapping[str, Any]) -> Vocabulary:
    """Restore the vocabulary from a model's description, with spelling if it has "grams".

    Args:
        description: description of a model of texts.
    """
    return spelled(Vocabulary.restored(description["vocabulary"]), description.get("grams", 0))
