"""Tables of the model's characters for the page: the other script, tones and rhymes.

The page does not have OpenCC. It converts one character at a time, except for pairs that OpenCC
converts differently together than apart: 后 becomes 後, but 皇后 stays 皇后. Finding them takes a
minute, so they are kept in `pairs.json`, which is written by

    python -m lstm_jax.page.words

Of 20,000 simplified lines of test poems, 30 differ from the result of OpenCC, which knows longer
phrases too; without the pairs, 637 would.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path

from lstm_jax.files import write_whole
from lstm_jax.models.storage import Json, describe
from lstm_jax.text.forms.readings import table
from lstm_jax.text.forms.tones import REGULATED, patterns
from lstm_jax.text.script import to_simplified, to_traditional

PAIRS = "pairs.json"
ROW = 24  # pairs per line of the file


def words(characters: str) -> Json:
    """Build the tables for reading and showing a vocabulary in simplified script.

    Args:
        characters: of the model, in traditional script, in the order of their ids.

    Returns:
        "characters", unchanged; "simplified", each traditional character that changes, followed by
        its simplified form; "traditional", the reverse, as OpenCC converts a single character;
        "simplifiedPairs" and "traditionalPairs", two characters followed by their conversion.
    """
    simple = {old: to_simplified(old) for old in characters}
    changed = {old: new for old, new in simple.items() if old != new and len(new) == 1}
    back = {new: to_traditional(new) for new in dict.fromkeys(changed.values())}
    known = {new: old for new, old in back.items() if new != old and old in simple}
    pairs = json.loads((resources.files("lstm_jax.page") / PAIRS).read_text(encoding="utf-8"))
    shown, read = set(characters), set(simple.values())
    return {
        "characters": characters,
        "simplified": "".join(map("".join, changed.items())),
        "traditional": "".join(map("".join, known.items())),
        "simplifiedPairs": _converted(pairs["simplified"], shown, to_simplified),
        "traditionalPairs": _converted(pairs["traditional"], read, to_traditional),
    }


def readings(characters: str) -> Json:
    """Build the tables of tones and rhymes, and the patterns of the regulated forms.

    Args:
        characters: of the model, in traditional script.

    Returns:
        "rhymes", for each rhyme of the Pingshui table whether it is level, and its characters;
        "patterns", by form, each with its lines of 平, 仄 and 中.

    Raises:
        ModelError: if the table is not installed.
    """
    result = table().readings(characters)
    rhymes = [
        [bool(level), "".join(c for c, has in zip(characters, column, strict=True) if has)]
        for level, column in zip(result.level, result.rhymes.T, strict=True)
    ]
    return {"rhymes": rhymes, "patterns": {str(form): patterns(form) for form in REGULATED}}


def find_pairs(convert: Callable[[str], str], characters: Iterable[str]) -> list[str]:
    """Find the pairs of characters that are converted differently together than apart.

    Args:
        convert: text -> text of the same length, character for character.
        characters: candidates for both members of a pair.
    """
    apart = {character: convert(character) for character in characters}
    pairs = []
    for first, first_converted in apart.items():
        together = convert("\n".join(first + second for second in apart)).split("\n")
        pairs += [
            first + second
            for (second, second_converted), pair in zip(apart.items(), together, strict=True)
            if pair != first_converted + second_converted
        ]
    return pairs


def _converted(rows: Iterable[str], known: set[str], convert: Callable[[str], str]) -> str:
    """Return each pair of known characters, followed by its conversion."""
    text = "".join(rows)
    pairs = (text[at : at + 2] for at in range(0, len(text), 2))
    return "".join(pair + convert(pair) for pair in pairs if known.issuperset(pair))


def _rows(pairs: list[str]) -> Iterator[str]:
    for at in range(0, len(pairs), ROW):
        yield "".join(pairs[at : at + ROW])


def main() -> None:
    """Find the pairs among the released model's characters and write them to `pairs.json`."""
    from opencc import OpenCC

    to_simple = OpenCC("t2s").convert
    characters = describe("tang")["vocabulary"]
    simple = dict.fromkeys(map(to_simple, characters))
    pairs = {
        "simplified": [*_rows(find_pairs(to_simple, characters))],
        "traditional": [*_rows(find_pairs(OpenCC("s2t").convert, simple))],
    }
    path = Path(__file__).with_name(PAIRS)
    write_whole(path, json.dumps(pairs, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
