"""Questions to a trained model, asked while it reads real data.

    rows         what a model is given to read: texts, or sequences with what they are judged by
    reading      from a model to what it did at each step; what a report calls its things
    streams      from texts to rows of symbols
    readers      from models of every kind to the functions that the diagnostics take
    question     what a question is: ask, say, draw
    questions/   one file each
    diagnosis    ask them all: typed answers
    steps        the same of any step
    pictures     the answers drawn
    page         the page that shows them
    folder       the report's files, written whole and never over something else
    command      `lstm-jax diagnose`

`diagnose` puts the questions to a language model, `diagnose_rows` to any other model, and
`diagnose_step` to any step, through `lstm_jax.diagnostics`; `lstm_jax.report.command.write_report`
writes the answers. A question of one's own is a `Question`, given to them as one of
`questions`.
"""

from lstm_jax.report.diagnosis import Diagnosis, diagnose, diagnose_rows
from lstm_jax.report.question import Picture, Question
from lstm_jax.report.questions import QUESTIONS, QUICK_QUESTIONS
from lstm_jax.report.reading import QUICK, ReportError, Settings
from lstm_jax.report.rows import Rows, Texts
from lstm_jax.report.steps import diagnose_step

__all__ = [
    "QUESTIONS",
    "QUICK",
    "QUICK_QUESTIONS",
    "Diagnosis",
    "Picture",
    "Question",
    "ReportError",
    "Rows",
    "Settings",
    "Texts",
    "diagnose",
    "diagnose_rows",
    "diagnose_step",
]
