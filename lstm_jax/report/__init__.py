"""Reports that answer questions about a trained model while it reads real data.

    rows         the input of a report: texts, or sequences with their targets
    reading      a model's states and gates at every step, and the words that describe it
    streams      from texts to rows of symbols
    readers      from models of every kind to the functions that the diagnostics need
    question     the record of a question: how to ask, describe and draw it
    questions/   one file for each question
    diagnosis    ask all questions, with typed answers
    steps        the same for any step function
    pictures     the pictures of the answers
    page         the page that shows the answers
    folder       the report's files, written as a whole and never over anything else
    command      `lstm-jax diagnose`

`diagnose` asks a language model, `diagnose_rows` any other model and `diagnose_step` any step, all
through `lstm_jax.diagnostics`. `lstm_jax.report.command.write_report` writes the answers. To add a
question of your own, pass a `Question` among their `questions`.
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
