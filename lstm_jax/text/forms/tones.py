"""The tone patterns of the regulated forms: where a tone is level and where it is oblique.

The tables follow Wang Li, 詩詞格律 (Zhonghua Shuju, 1977), chapter 2. There are four kinds of
lines, named after their first and last tones:

    a   begins oblique, ends oblique       A   begins oblique, ends level
    b   begins level, ends oblique         B   begins level, ends level

This holds for lines of five characters; a line of seven has two more, of the opposite tone, in
front. 平 is level, 仄 oblique, and 中 may be either: "the first, third and fifth are not judged,
the second, fourth and sixth are clear". Two of the former are judged all the same, as in Wang Li's
tables: if the first of five characters in B were oblique, its level tone would stand alone, and if
the third in A were level, the line would end in three level tones.

The two lines of a couplet oppose each other, and each couplet begins as the one before it ended.
That leaves four patterns: the first line is of kind a or b, or, if it takes part in the rhyme, of
kind A or B.
"""

from __future__ import annotations

from collections.abc import Sequence

from lstm_jax.text.forms.order import Form

LEVEL, OBLIQUE, EITHER = "平仄中"

LINES = {
    5: {"a": "中仄平平仄", "A": "中仄仄平平", "b": "中平平仄仄", "B": "平平仄仄平"},
    7: {
        "a": "中平中仄平平仄",
        "A": "中平中仄仄平平",
        "b": "中仄中平平仄仄",
        "B": "中仄平平仄仄平",
    },
}
"""Tones of each kind of line, by the number of characters."""

QUATRAINS = {"aBbA": "aBbA", "ABbA": "aBbA", "bAaB": "bAaB", "BAaB": "bAaB"}
"""Kinds of the first four lines -> kinds of the next four."""

REGULATED = (Form(5, 4), Form(7, 4), Form(5, 8), Form(7, 8))
"""Forms that have tone patterns."""


def patterns(form: Form) -> Sequence[Sequence[str]]:
    """Return the tone patterns of a regulated form.

    Args:
        form: one of `REGULATED`.

    Returns:
        Four patterns, each with a string of 平, 仄 and 中 for every line of the poem.
    """
    lines = LINES[form.characters]
    return [
        [lines[kind] for kind in (first + second)[: form.lines]]
        for first, second in QUATRAINS.items()
    ]
