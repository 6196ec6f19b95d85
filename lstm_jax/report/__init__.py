"""Questions to a trained character model, asked while it reads real texts.

    reading      from texts to rows of symbols, and from a model to what it did at each of them
    question     what a question is: ask, say, draw
    questions/   one file each
    diagnosis    ask them all: typed answers
    pictures     the answers drawn
    page         the page that shows them
    folder       the report's files, written whole and never over something else
    command      `lstm-jax diagnose`

`diagnose` puts the questions, through `lstm_jax.diagnostics`. A question of one's own is a
`Question`, given to it as one of `questions`.
"""

from lstm_jax.report.diagnosis import Diagnosis, diagnose
from lstm_jax.report.question import Picture, Question
from lstm_jax.report.questions import QUESTIONS
from lstm_jax.report.reading import ReportError, Settings

__all__ = [
    "QUESTIONS",
    "Diagnosis",
    "Picture",
    "Question",
    "ReportError",
    "Settings",
    "diagnose",
]
