"""The questions of a diagnosis, one file each, in the order of the page.

To put another, write its file with a `QUESTION` and name it here.
"""

from typing import Any

from lstm_jax.report.question import Question
from lstm_jax.report.questions import adjoints, context, gates, jacobians, lyapunov, roads

QUESTIONS: tuple[Question[Any], ...] = (
    adjoints.QUESTION,
    jacobians.QUESTION,
    lyapunov.QUESTION,
    roads.QUESTION,
    gates.QUESTION,
    context.QUESTION,
)

QUICK_QUESTIONS = (adjoints.QUESTION, gates.QUESTION, context.QUESTION)
"""Those that a quick look asks: the spectra of the others take longer to compile than to find."""
