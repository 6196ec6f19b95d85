"""The questions of a diagnosis, one file each, in the order of the page.

To add another, write a file with its `QUESTION` and list it here.
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
"""The questions of a quick look; the others need spectra, which take long to compile."""
