"""What a question of a diagnosis is: from asking a model to a section of the report.

A question is one record, `Question`, and everything that is told of it comes from there: the entry
in diagnosis.json, the lines of the summary, the sentence, the pictures and the section of the
page. Its answer is a type of its own, and stays one until the file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lstm_jax.report.reading import Reading

if TYPE_CHECKING:  # matplotlib is not needed to ask
    from lstm_jax.plots.drawing import Figure

A = TypeVar("A")

Lines = list[tuple[str, str]]
"""Of a short table: a label and what is said beside it."""


@dataclass(frozen=True)
class Picture(Generic[A]):
    """One picture of an answer, and what the page says under it.

    Attributes:
        name: of its files, NAME.png and NAME.svg.
        alt: what it shows, for those who do not see it.
        caption: HTML, filled in as the texts of `Question` are.
        draw: `(answer, all answers) -> Figure`; matplotlib is imported when it is called.
        narrow: whether it is one panel, which would be too large in the width of the page.
        there: whether an answer has it.
    """

    name: str
    alt: str
    caption: str
    draw: Callable[[A, Answers], Figure]
    narrow: bool = False
    there: Callable[[A], bool] = lambda answer: True


@dataclass(frozen=True, kw_only=True)
class Question(Generic[A]):
    """One question to a model that has read, and how its answer is told.

    The texts are HTML, and filled in by `str.format`: `{answer.predictions}` is a figure of the
    answer, `{settings.burn_in}` one of the settings, `{number[gates]}` the number that another
    question has on the page, `{words.row}` what a row is called, see `Words`.

    Attributes:
        name: of its entry in diagnosis.json.
        ask: the answer of a model that has read.
        figures: what of the answer goes into diagnosis.json, see `lstm_jax.report.figures.plain`;
            the answer itself if not given.
        doing: what is said while it is worked on.
        title: over its section of the page.
        say: the answer in a sentence or two.
        summarize: the answer's lines in the short table.
        pictures: in the order of the page.
        meaning: what the figures mean.
        how: how they were found.
        literature: who asked before.
        lacks: why a model cannot be asked; None if it can.
    """

    name: str
    ask: Callable[[Reading], A]
    figures: Callable[[A], object] = lambda answer: answer
    doing: str
    title: str
    say: Callable[[A], str]
    summarize: Callable[[A], Lines]
    pictures: Sequence[Picture[A]]
    meaning: str
    how: str
    literature: str
    lacks: Callable[[Reading], str | None] = lambda reading: None


@dataclass(frozen=True)
class Answered(Generic[A]):
    """A question with its answer, and the `seconds` that it took."""

    question: Question[A]
    answer: A
    seconds: float


class Answers(tuple[Answered[Any], ...]):
    """All that was asked of one model, in the order of the page."""

    def to(self, question: Question[A]) -> A | None:
        """Give the answer to one question.

        Args:
            question: one that may have been asked.

        Returns:
            Its answer; None if it was not asked.
        """
        return next((one.answer for one in self if one.question is question), None)
