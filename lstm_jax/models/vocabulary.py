"""Conversion between characters and ids."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

END = "<end>"
UNKNOWN = "<unk>"


@dataclass(frozen=True)
class Vocabulary:
    """Store an ordered set of characters after two special symbols: END, id 0, and UNKNOWN, id 1.

    If texts are sequences of words, words take the place of characters. END closes a text, and as
    an input it opens the next one: a model reads it before the first character and writes it after
    the last.

    Args:
        characters: the characters, from id 2 on.

    Raises:
        ValueError: if two characters are the same.
    """

    characters: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    end_id = 0
    unknown_id = 1

    def __post_init__(self) -> None:
        ids = {character: index + 2 for index, character in enumerate(self.characters)}
        if len(ids) != len(self.characters):
            raise ValueError("the characters of a vocabulary must differ from each other")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def from_texts(cls, texts: Iterable[Sequence[str]], *, min_count: int = 2) -> Vocabulary:
        """Build a vocabulary of the characters of texts.

        Args:
            texts: strings, or sequences of words.
            min_count: characters that occur less often become UNKNOWN.

        Returns:
            The vocabulary, ordered by falling frequency, then by Unicode.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls.from_counts(counts, min_count=min_count)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_count: int = 2) -> Vocabulary:
        """Build a vocabulary from counts of characters.

        Args:
            counts: how often each character occurs.
            min_count: as in `from_texts`.

        Returns:
            The vocabulary, in the order of `from_texts`.
        """
        kept = [(-count, character) for character, count in counts.items() if count >= min_count]
        return cls(tuple(character for _, character in sorted(kept)))

    @classmethod
    def restored(cls, stored: str | Sequence[str]) -> Vocabulary:
        """Rebuild a vocabulary from its stored form.

        Args:
            stored: result of `to_store`: a string of characters, or a list of words.

        Returns:
            The vocabulary.

        Raises:
            TypeError: if it is neither.
            ValueError: if two characters are the same.
        """
        if not all(isinstance(character, str) for character in stored):
            raise TypeError("a vocabulary is a string of characters, or a list of words")
        return cls(tuple(stored))

    def to_store(self) -> str | list[str]:
        """Return the vocabulary for JSON: the characters joined, or a list if that would lose any.

        Joined words would run together, and two halves of a surrogate pair would be read as one
        character.
        """
        surrogates = any("\ud800" <= character <= "\udfff" for character in self.characters)
        joinable = self._single and not surrogates
        return "".join(self.characters) if joinable else list(self.characters)

    def __len__(self) -> int:
        return len(self.characters) + 2

    @property
    def digest(self) -> str:
        """Return the sha256 of the characters in their order, in hexadecimal.

        A vocabulary of words has two digests with a dash between them: that of the joined words,
        which was the only one in older versions, and that of the words as a JSON list.
        """
        joined = _sha256("".join(self.characters))
        return joined if self._single else f"{joined}-{_sha256(json.dumps(self.characters))}"

    @property
    def _single(self) -> bool:
        """Return whether every character has length 1, so that they can be joined."""
        return all(len(character) == 1 for character in self.characters)

    def encode(self, text: Sequence[str]) -> np.ndarray:
        """Convert a text to ids.

        Args:
            text: characters, or words.

        Returns:
            int32 (len(text),); characters that are not in the vocabulary are UNKNOWN.
        """
        get = self._ids.get
        return np.array([get(character, self.unknown_id) for character in text], np.int32)

    def known(self, text: Sequence[str]) -> np.ndarray:
        """Tell which characters of a text are in the vocabulary.

        Args:
            text: characters, or words.

        Returns:
            Booleans, (len(text),).
        """
        return np.array([character in self._ids for character in text], bool)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Convert ids to a text.

        Args:
            ids: (N,) integers in [0, V).

        Returns:
            The text up to the first END; UNKNOWN is written as U+FFFD.

        Raises:
            IndexError: if an id is not in [0, V).
        """
        out = []
        for index in np.asarray(ids).tolist():
            if index == self.end_id:
                break
            if not 0 <= index < len(self):
                raise IndexError(f"ids must lie in [0, {len(self)}), got {index}")
            out.append("\ufffd" if index == self.unknown_id else self.characters[index - 2])
        return "".join(out)

    def unknown(self, text: Sequence[str]) -> str:
        """Find the characters of a text that are not in the vocabulary.

        Args:
            text: characters, or words.

        Returns:
            The characters, each once, in order.
        """
        return "".join(dict.fromkeys(c for c in text if c not in self._ids))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
