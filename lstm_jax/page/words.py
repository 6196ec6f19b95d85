"""What the page must know of its model's characters: their other script, their tones and rhymes.

The page has no OpenCC. It converts one character at a time, but for the pairs that OpenCC converts
otherwise together than apart: 后 is 後, and 皇后 is 皇后. To find them takes a minute, so they are
kept in `pairs.json`, which is written by

    python -m lstm_jax.page.words

Of 20,000 simplified lines of test poems 30 come out otherwise than from OpenCC, which knows longer
phrases too; without the pairs 637 would.
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
ROW = 24  # pairs in a line of the file


def words(characters: str) -> Json:
    """Give a vocabulary and what it takes to read and show it in simplified script.

    Args:
        characters: of the model, in traditional script, in the order of their ids.

    Returns:
        "characters" as they are; "simplified", a traditional character and its simplified one,
        for each that changes; "traditional", the other way round, as OpenCC has it for a character
        by itself; "simplifiedPairs" and "traditionalPairs", two characters and what they become.
    """
    simple = {one: to_simplified(one) for one in characters}
    changed = {one: other for one, other in simple.items() if one != other and len(other) == 1}
    back = {one: to_traditional(one) for one in dict.fromkeys(changed.values())}
    known = {one: other for one, other in back.items() if one != other and other in simple}
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
    """Give the tones and rhymes of a vocabulary, and the patterns of the regulated forms.

    Args:
        characters: of the model, in traditional script.

    Returns:
        "rhymes", for each of the Pingshui table whether its tone is level, and its characters;
        "patterns", by form, each as its lines of 平, 仄 and 中.

    Raises:
        ModelError: the table is not installed.
    """
    found = table().readings(characters)
    rhymes = [
        [bool(level), "".join(c for c, has in zip(characters, column, strict=True) if has)]
        for level, column in zip(found.level, found.rhymes.T, strict=True)
    ]
    return {"rhymes": rhymes, "patterns": {str(form): patterns(form) for form in REGULATED}}


def find_pairs(convert: Callable[[str], str], characters: Iterable[str]) -> list[str]:
    """Find the pairs that are converted otherwise together than apart.

    Args:
        convert: a text -> as long a text, character for character.
        characters: of both members.
    """
    alone = {one: convert(one) for one in characters}
    found = []
    for first, wanted in alone.items():
        together = convert("\n".join(first + second for second in alone)).split("\n")
        found += [
            first + second
            for (second, other), pair in zip(alone.items(), together, strict=True)
            if pair != wanted + other
        ]
    return found


def _converted(rows: Iterable[str], known: set[str], convert: Callable[[str], str]) -> str:
    """Put to each pair of known characters what it becomes."""
    text = "".join(rows)
    pairs = (text[at : at + 2] for at in range(0, len(text), 2))
    return "".join(pair + convert(pair) for pair in pairs if known.issuperset(pair))


def _rows(pairs: list[str]) -> Iterator[str]:
    for at in range(0, len(pairs), ROW):
        yield "".join(pairs[at : at + ROW])


def main() -> None:
    """Find the pairs of the released model's characters, and write them."""
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
