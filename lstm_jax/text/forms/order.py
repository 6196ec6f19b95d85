"""The rules that can be ordered for a poem, and the checks that need no model."""

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
    """Describe the form of a poem.

    Attributes:
        characters: number of characters in each line.
        lines: number of lines.
    """

    characters: int
    lines: int

    @property
    def length(self) -> int:
        """Return the number of characters and marks in a poem of this form."""
        return (self.characters + 1) * self.lines

    def __str__(self) -> str:
        return f"{self.characters}x{self.lines}"


class Wishes(TypedDict, total=False):
    """Declare the fields of `Order` as the keywords of a function."""

    form: str | None
    acrostic: str
    acrostic_by: Literal["line", "couplet"]
    mood: str
    rhyme: bool
    tones: bool


@dataclass(frozen=True)
class Order:
    """Configure the rules of a poem; by default there are none."""

    form: str | None = None
    """Form of the poem, CxL: L lines of C characters. The regulated forms are 5x4, 7x4, 5x8 and
    7x8. Every line ends in a punctuation mark, every second line and the last in a full stop."""
    acrostic: str = ""
    """First characters of the lines, in order. Without a form, the poem has a line for each."""
    acrostic_by: Literal["line", "couplet"] = "line"
    """Whether each line or each couplet begins with the next character of the acrostic."""
    mood: str = ""
    """Line that the model reads before the poem to set its mood; it is not shown."""
    rhyme: bool = False
    """Rhyme the even lines of a form, each on a different character."""
    tones: bool = False
    """Alternate level and oblique tones as the regulated forms prescribe."""

    def __post_init__(self) -> None:
        for name in ("acrostic", "mood"):
            if not isinstance(getattr(self, name), str):
                raise ModelError(f"{name} must be a text, got {getattr(self, name)!r}")
        if self.acrostic_by not in ("line", "couplet"):
            raise ModelError(f"acrostic_by must be line or couplet, got {self.acrostic_by!r}")

    @property
    def rules(self) -> bool:
        """Return whether there is any rule that masks must enforce."""
        return bool(self.form is not None or self.acrostic or self.rhyme or self.tones)

    @property
    def shape(self) -> Form | None:
        """Return the form, or None if the poem has no form.

        Raises:
            ModelError: if it is not written as CxL, or has no characters or lines.
        """
        if self.form is None:
            return None
        match = _FORM.fullmatch(str(self.form))
        if not match or "0" in (sizes := [size.lstrip("0") or "0" for size in match.groups()]):
            raise ModelError(
                f"the form must be CxL, L lines of C characters, such as 5x4, got {self.form!r}"
            )
        return Form(*map(int, sizes))

    @property
    def heads(self) -> dict[int, str]:
        """Return the first characters of lines, as line number (from 0) -> character."""
        step = 2 if self.acrostic_by == "couplet" else 1
        return {step * number: character for number, character in enumerate(self.acrostic)}

    @property
    def lines(self) -> int:
        """Return the number of lines of the form, or without a form, of the acrostic."""
        if self.shape:
            return self.shape.lines
        return len(self.acrostic) * (2 if self.acrostic_by == "couplet" else 1)

    def check(self, max_length: int) -> None:
        """Check that a poem can follow these rules.

        Args:
            max_length: of a poem, in characters and marks.

        Raises:
            ModelError: in one line, if a wish cannot be met.
        """
        if self.shape and self.shape.length > max_length:
            raise ModelError(
                f"a poem of {self.shape} has {self.shape.length:,} characters and marks, but "
                f"max_length is {max_length:,}; raise it, or ask for a shorter form"
            )
        if self.shape and max(self.heads, default=0) >= self.shape.lines:
            raise ModelError(
                f"the acrostic {self.acrostic!r} has {len(self.acrostic)} characters, one for each "
                f"{self.acrostic_by}, but the form {self.shape} has only {self.shape.lines} lines"
            )
        if not self.shape and (self.rhyme or self.tones):
            needs = "a rhyme needs" if self.rhyme else "tones need"
            raise ModelError(f"{needs} a form, which fixes where lines end; give one, such as 5x4")
        if self.rhyme and self.lines < 4:
            raise ModelError(
                f"a rhyme needs at least four lines, because only even lines rhyme, but the form "
                f"{self.shape} has {self.lines}"
            )

    def check_prompt(self, prompt: str) -> None:
        """Check that a prompt can begin such a poem.

        Args:
            prompt: its characters count toward the form and the acrostic.

        Raises:
            ModelError: if it cannot, with the line of the prompt that does not fit.
        """
        shape = self.shape
        lines = _lines(prompt)
        if len(lines) > self.lines:
            raise ModelError(
                f"the prompt {prompt!r} has {len(lines)} lines, but the poem may only have "
                f"{self.lines}"
            )
        for number, (line, mark) in enumerate(lines):
            where = f"line {number + 1} of the prompt, {line + mark!r},"
            if mark and not line:
                raise ModelError(f"{where} must have a character before the mark")
            length = shape.characters if shape else len(line)
            if len(line) > length or (mark and len(line) < length):
                raise ModelError(
                    f"the form {shape} needs {length} characters in a line, but {where} has "
                    f"{len(line)}"
                )
            head = self.heads.get(number, line[:1])
            if line[:1] != head:
                raise ModelError(
                    f"{where} begins with {line[0]!r}, but the acrostic needs {head!r}"
                )


def _lines(text: str) -> Sequence[tuple[str, str]]:
    """Split the beginning of a poem into lines and their marks; the last mark may be missing."""
    return [(line, mark) for line, mark in _ENDED.findall(text) if line or mark]
