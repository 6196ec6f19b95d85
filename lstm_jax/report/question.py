"""The record of a question, from asking a model to a section of the report.

Everything that the report shows of a question comes from its `Question`: the entry in
diagnosis.json, the lines of the summary, the sentence, the pictures and the section of the page.
Every question has its own type of answer, which is kept until the file is written.
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
"""Lines of a short table: labels and their figures."""


@dataclass(frozen=True)
class Picture(Generic[A]):
    """Describe a picture of an answer, with its caption.

    Attributes:
        name: of its files, NAME.png and NAME.svg.
        alt: a description for readers who cannot see it.
        caption: HTML, formatted like the texts of `Question`.
        draw: `(answer, all answers) -> Figure`; it imports matplotlib when it is called.
        narrow: whether it is a single panel, which would be too large at the width of the page.
        there: returns whether an answer has this picture.
    """

    name: str
    alt: str
    caption: str
    draw: Callable[[A, Answers], Figure]
    narrow: bool = False
    there: Callable[[A], bool] = lambda answer: True


@dataclass(frozen=True, kw_only=True)
class Question(Generic[A]):
    """Describe a question to a model, and how its answer is reported.

    The texts are HTML, formatted with `str.format`: `{answer.predictions}` is a figure of the
    answer, `{settings.burn_in}` one of the settings, `{number[gates]}` the number of another
    question on the page, and `{words.row}` the name of a row, see `Words`.

    Attributes:
        name: of its entry in diagnosis.json.
        ask: finds the answer from a reading.
        figures: returns the part of the answer for diagnosis.json, by default the whole answer;
            see `lstm_jax.report.figures.plain`.
        doing: progress message while the question is being answered.
        title: of its section on the page.
        say: puts the answer into a sentence or two.
        summarize: returns the lines of the answer in the short table.
        pictures: in the order of the page.
        meaning: an explanation of the figures.
        how: the method.
        literature: earlier work on the question.
        lacks: returns why a model cannot be asked, or None if it can.
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
    """Store a question with its answer and the `seconds` that it took."""

    question: Question[A]
    answer: A
    seconds: float


class Answers(tuple[Answered[Any], ...]):
    """Store all answers of a model, in the order of the page."""

    def to(self, question: Question[A]) -> A | None:
        """Look up the answer to a question.

        Args:
            question: a question that may have been asked.

        Returns:
            The answer; None if the question was not asked.
        """
        answers = (answered.answer for answered in self if answered.question is question)
        return next(answers, None)
