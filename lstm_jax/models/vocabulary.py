"""Characters <-> ids."""

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
    """Hold an ordered set of characters behind two symbols: END, id 0, and UNKNOWN, id 1.

    Of texts that are sequences of words, the words stand in for the characters. END closes a text,
    and as an input it opens the next one: a model reads it before the first character and writes it
    after the last.

    Args:
        characters: the others, from id 2 on.

    Raises:
        ValueError: two characters are the same.
    """

    characters: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    end_id = 0
    unknown_id = 1

    def __post_init__(self) -> None:
        ids = {character: index + 2 for index, character in enumerate(self.characters)}
        if len(ids) != len(self.characters):
            raise ValueError("the characters of a vocabulary must differ from one another")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def from_texts(cls, texts: Iterable[Sequence[str]], *, min_count: int = 2) -> Vocabulary:
        """Take the characters of texts.

        Args:
            texts: strings, or sequences of words.
            min_count: characters seen less often are left to UNKNOWN.

        Returns:
            The vocabulary, the most frequent character first; of equals, the first in Unicode.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls.from_counts(counts, min_count=min_count)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_count: int = 2) -> Vocabulary:
        """Take characters that were counted.

        Args:
            counts: how often each was seen.
            min_count: as in `from_texts`.

        Returns:
            The vocabulary, in the order of `from_texts`.
        """
        kept = [(-count, character) for character, count in counts.items() if count >= min_count]
        return cls(tuple(character for _, character in sorted(kept)))

    @classmethod
    def restored(cls, stored: str | Sequence[str]) -> Vocabulary:
        """Take a vocabulary from where it was stored.

        Args:
            stored: what `to_store` gave: the characters joined, or words in a list.

        Returns:
            The vocabulary.

        Raises:
            TypeError: what is neither.
            ValueError: two characters are the same.
        """
        if not all(isinstance(character, str) for character in stored):
            raise TypeError("a vocabulary is a string of characters, or a list of words")
        return cls(tuple(stored))

    def to_store(self) -> str | list[str]:
        """Give what to store in JSON: the characters joined, or a list where that would lose some.

        Words would run together, and the two halves of a surrogate pair would be read as one.
        """
        lonely = any("\ud800" <= character <= "\udfff" for character in self.characters)
        return "".join(self.characters) if self._single and not lonely else list(self.characters)

    def __len__(self) -> int:
        return len(self.characters) + 2

    @property
    def digest(self) -> str:
        """Give the sha256 of the characters in their order, in hexadecimal.

        Of words there are two, a dash between them: of the words joined, which was all of it once,
        and of the words as JSON tells them apart from one another.
        """
        joined = _sha256("".join(self.characters))
        return joined if self._single else f"{joined}-{_sha256(json.dumps(self.characters))}"

    @property
    def _single(self) -> bool:
        """Whether every character is one, so that none is lost where they are joined."""
        return all(len(character) == 1 for character in self.characters)

    def encode(self, text: Sequence[str]) -> np.ndarray:
        """Turn a text into ids.

        Args:
            text: characters, or words.

        Returns:
            int32 (len(text),); what is not in the vocabulary is UNKNOWN.
        """
        get = self._ids.get
        return np.array([get(character, self.unknown_id) for character in text], np.int32)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Turn ids into a text.

        Args:
            ids: (N,) integers in [0, V).

        Returns:
            The text up to the first END; UNKNOWN is written as U+FFFD.

        Raises:
            IndexError: an id outside the vocabulary, below 0 or beyond it.
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
            Those characters, each once, in order.
        """
        return "".join(dict.fromkeys(c for c in text if c not in self._ids))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
