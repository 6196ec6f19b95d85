"""Where the regulated forms want level tones and where oblique ones.

The tables are those of Wang Li, 詩詞格律 (Zhonghua Shuju, 1977), chapter 2. A line is of one of
four kinds, named by how it begins and ends:

    a   begins oblique, ends oblique       A   begins oblique, ends level
    b   begins level, ends oblique         B   begins level, ends level

(of five characters; one of seven puts two of the other tone before them). 平 is level, 仄 oblique,
and 中 may be either: "the first, third and fifth are not judged, the second, fourth and sixth are
clear". Two of those stay judged all the same, as Wang Li's tables have them: where B's first
character of five were oblique its level tone would be alone, and where A's third were level the
line would end in three level tones.

The two lines of a couplet are opposed, and each couplet begins as the one before it ended. That
leaves four patterns: the first line is of the kind a or b, or of A or B where it takes part in the
rhyme.
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
"""The kinds of lines, by their number of characters."""

QUATRAINS = {"aBbA": "aBbA", "ABbA": "aBbA", "bAaB": "bAaB", "BAaB": "bAaB"}
"""The kinds of the first four lines -> those of the next four."""

REGULATED = (Form(5, 4), Form(7, 4), Form(5, 8), Form(7, 8))
"""The forms that have patterns."""


def patterns(form: Form) -> Sequence[Sequence[str]]:
    """Give the tone patterns of a regulated form.

    Args:
        form: one of `REGULATED`.

    Returns:
        Four patterns, each a line of 平, 仄 and 中 for each line of the poem.
    """
    lines = LINES[form.characters]
    return [
        [lines[kind] for kind in (first + second)[: form.lines]]
        for first, second in QUATRAINS.items()
    ]
