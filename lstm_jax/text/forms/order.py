"""What can be ordered of a poem, checked as far as no model is needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict

from lstm_jax.models.storage import ModelError
from lstm_jax.text.verse import MARKS

_FORM = re.compile("([0-9]{1,9})x([0-9]{1,9})")
_ENDED = re.compile(f"([^{MARKS}]*)([{MARKS}]?)")


class Form(NamedTuple):
    """Hold the form of a poem.

    Attributes:
        characters: of each line.
        lines: of the poem.
    """

    characters: int
    lines: int

    @property
    def length(self) -> int:
        """Give the number of characters and marks of a poem."""
        return (self.characters + 1) * self.lines

    def __str__(self) -> str:
        return f"{self.characters}x{self.lines}"


class Wishes(TypedDict, total=False):
    """Name the fields of `Order` as keywords of a function."""

    form: str | None
    acrostic: str
    acrostic_by: Literal["line", "couplet"]
    mood: str
    rhyme: bool
    tones: bool


@dataclass(frozen=True)
class Order:
    """Say what a poem is to be like; nothing is ruled that is not asked for."""

    form: str | None = None
    """Lines of C characters, L of them, as CxL: 5x4, 7x4, 5x8 and 7x8 are the regulated forms.
    Every line ends in a mark, every second one in a full stop, and so does the last."""
    acrostic: str = ""
    """The characters that the lines begin with, in order. Without a form the poem has as many lines
    as these need."""
    acrostic_by: Literal["line", "couplet"] = "line"
    """Whether each line begins with the next of them, or each second one."""
    mood: str = ""
    """A line that is read before the poem and not shown, to set its tone."""
    rhyme: bool = False
    """Let every second line of a form end in one rhyme, and no two in the same character."""
    tones: bool = False
    """Let level and oblique tones alternate as the regulated forms want it."""

    def __post_init__(self) -> None:
        for name in ("acrostic", "mood"):
            if not isinstance(getattr(self, name), str):
                raise ModelError(f"{name} must be a text, got {getattr(self, name)!r}")
        if self.acrostic_by not in ("line", "couplet"):
            raise ModelError(f"acrostic_by must be line or couplet, got {self.acrostic_by!r}")

    @property
    def rules(self) -> bool:
        """Tell whether anything is asked for that masks must see to."""
        return bool(self.form is not None or self.acrostic or self.rhyme or self.tones)

    @property
    def shape(self) -> Form | None:
        """Give the form, None if there is none.

        Raises:
            ModelError: it is not written as CxL, or has no characters or lines.
        """
        if self.form is None:
            return None
        found = _FORM.fullmatch(str(self.form))
        if not found or "0" in (sizes := [size.lstrip("0") or "0" for size in found.groups()]):
            raise ModelError(
                f"the form must be CxL, L lines of C characters, such as 5x4, got {self.form!r}"
            )
        return Form(*map(int, sizes))

    @property
    def heads(self) -> dict[int, str]:
        """Give the character that a line begins with, by the line's number from 0 on."""
        step = 2 if self.acrostic_by == "couplet" else 1
        return {step * number: character for number, character in enumerate(self.acrostic)}

    @property
    def lines(self) -> int:
        """Give the number of lines that the poem has: of the form, or enough for the acrostic."""
        if self.shape:
            return self.shape.lines
        return len(self.acrostic) * (2 if self.acrostic_by == "couplet" else 1)

    def check(self, max_length: int) -> None:
        """Refuse what no poem can be.

        Args:
            max_length: of a poem, in characters and marks.

        Raises:
            ModelError: in one line, for a wish that cannot be met.
        """
        if self.shape and self.shape.length > max_length:
            raise ModelError(
                f"a poem of {self.shape} has {self.shape.length:,} characters and marks, and "
                f"max_length is {max_length:,}: raise it, or ask for a shorter form"
            )
        if self.shape and max(self.heads, default=0) >= self.shape.lines:
            raise ModelError(
                f"the acrostic {self.acrostic!r} has {len(self.acrostic)} characters, one for each "
                f"{self.acrostic_by}, and the form {self.shape} has {self.shape.lines} lines"
            )
        if not self.shape and (self.rhyme or self.tones):
            needs = "a rhyme needs" if self.rhyme else "tones need"
            raise ModelError(f"{needs} a form, which says where a line ends: give one, such as 5x4")
        if self.rhyme and self.lines < 4:
            raise ModelError(
                f"the form {self.shape} has no two lines to rhyme: every second line rhymes, so "
                "four lines are needed"
            )

    def check_prompt(self, prompt: str) -> None:
        """Refuse a prompt that cannot be the beginning of such a poem.

        Args:
            prompt: its characters count toward the form and the acrostic.

        Raises:
            ModelError: in one line, with the line of the prompt that does not fit.
        """
        shape = self.shape
        lines = _lines(prompt)
        if len(lines) > self.lines:
            raise ModelError(
                f"the prompt {prompt!r} has {len(lines)} lines, and the poem is to have "
                f"{self.lines}"
            )
        for number, (line, mark) in enumerate(lines):
            where = f"line {number + 1} of the prompt, {line + mark!r},"
            if mark and not line:
                raise ModelError(f"{where} has no characters: a line needs some")
            wanted = shape.characters if shape else len(line)
            if len(line) > wanted or (mark and len(line) < wanted):
                raise ModelError(
                    f"the form {shape} wants {wanted} characters in a line, and {where} has "
                    f"{len(line)}"
                )
            head = self.heads.get(number, line[:1])
            if line[:1] != head:
                raise ModelError(
                    f"{where} begins with {line[0]!r}, and the acrostic wants {head!r}"
                )


def _lines(text: str) -> Sequence[tuple[str, str]]:
    """Cut a beginning into lines and the marks that end them; the last mark may be missing."""
    return [(line, mark) for line, mark in _ENDED.findall(text) if line or mark]
