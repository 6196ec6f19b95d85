"""How long does it remember? The loss of the same predictions after reading ever more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax import diagnostics
from lstm_jax.recurrence import StackState
from lstm_jax.report.measures import wide
from lstm_jax.report.question import Answers, Lines, Picture, Question
from lstm_jax.report.questions import adjoints
from lstm_jax.report.reading import Reading
from lstm_jax.report.words import count

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure

TOLERANCE = 0.01  # nats: two losses nearer than this count as one


@dataclass(frozen=True)
class Context:
    """The mean loss of the same predictions by how many symbols were read before each.

    Attributes:
        contexts: symbols read, ascending, L.
        nats: the mean loss after reading so many, (L,).
        whole: the same after reading everything.
        gap: how much larger `nats` is, (L,).
        gap_error: its standard error over texts, (L,); None of a single text.
        predictions: how many.
        tolerance: in nats; two losses nearer than this count as one.
        memory_length: the context from which on more does not help; None if all do.
    """

    contexts: list[int]
    nats: np.ndarray
    whole: float
    gap: np.ndarray
    gap_error: np.ndarray | None
    predictions: int
    tolerance: float
    memory_length: int | None


def ask(reading: Reading) -> Context:
    """Predict the same symbols again after reading only the last few before each.

    Args:
        reading: of some texts.

    Returns:
        Losses by context.
    """
    step, params, start, _, nats, _ = reading.reader
    longest = reading.settings.lags
    shorter = [*(2 ** np.arange(np.log2(longest) + 1)), 3 * longest // 4]
    contexts = sorted({int(c) for c in shorter if 1 <= c < longest} | {longest})

    def one(row: tuple[Array, Array]) -> Array:
        xs, targets = row

        def loss(state: StackState, t: Array) -> Array:
            return nats(state.h, targets[t])

        return diagnostics.loss_by_context(step, params, xs, start, loss, contexts).losses

    # Of a longer text its beginning: every prediction is made anew for each context.
    some = slice(2 * longest)
    targets = jnp.asarray(reading.streams.targets[:, some])
    rows = jnp.swapaxes(reading.xs[some], 0, 1), targets
    losses = wide(jax.jit(lambda: jax.lax.map(one, rows))())  # (B, L, predictions)
    whole = reading.nats[some][longest - 1 :].T[:, None]
    gap = (losses - whole).mean(2)  # of each text: its predictions are not independent
    mean = losses.mean((0, 2))
    # All that there is to read stands last, as the longest context; 0 names it.
    all_contexts, all_means = jnp.array([*contexts, 0]), jnp.array([*mean, whole.mean()])
    length = diagnostics.memory_length(all_contexts, all_means, tolerance=TOLERANCE)
    return Context(
        contexts=contexts,
        nats=mean,
        whole=float(whole.mean()),
        gap=gap.mean(0),
        gap_error=gap.std(0, ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else None,
        predictions=losses[:, 0].size,
        tolerance=TOLERANCE,
        memory_length=int(length) or None,
    )


def figures(found: Context) -> dict[str, object]:
    """Give what stands in diagnosis.json: an error for each context, though it be unknown."""
    unknown = [None] * len(found.contexts)
    return {**vars(found), "gap_error": unknown if found.gap_error is None else found.gap_error}


def say(found: Context) -> str:
    """Say what the loss is with little and with much read, and where it stands."""
    first, last = found.contexts[0], found.contexts[-1]
    return (
        f"With {count(first, 'character')} read the loss is {found.nats[0]:.2f} nats, with "
        f"{last} it is {found.nats[-1]:.2f}, with everything {found.whole:.2f}. It "
        f"remembers {_memory(found)}."
    )


def summarize(found: Context) -> Lines:
    """Give the memory's length."""
    return [("memory", _memory(found))]


def _memory(found: Context) -> str:
    length = found.memory_length
    if length is None:
        return (
            f"more than {count(found.contexts[-1], 'character')}: with so many, "
            f"{found.gap[-1]:.2g} nats are still missing to what it makes of everything"
        )
    return (
        f"{count(length, 'character')}: with so many it is within {found.tolerance:g} nats of "
        "everything read"
    )


def draw(found: Context, answers: Answers) -> Figure:
    """Draw the loss against the context, and what a bounded one costs."""
    from lstm_jax.plots import context_gap, context_loss, new_figure

    figure = new_figure(2)
    influence = answers.to(adjoints.QUESTION)
    context_loss(
        found.contexts,
        found.nats,
        whole=found.whole,
        memory=found.memory_length,
        marks=influence.influence_lag if influence else None,
        axes=figure.axes[0],
    )
    context_gap(
        found.contexts,
        found.gap,
        errors=found.gap_error,
        tolerance=found.tolerance,
        axes=figure.axes[1],
    )
    return figure


QUESTION = Question(
    name="context",
    ask=ask,
    figures=figures,
    doing="how long does it remember?",
    title="How long does it remember?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="context",
            alt="Mean loss against the number of characters read before each prediction",
            caption="""\
Left: mean loss of the same {answer.predictions:,} predictions after reading only the last few
characters before each. Vertical lines: where the influence of question {number[adjoints]} falls
below a fraction, if it does. Right: the loss above that of the same predictions with everything
read, both axes logarithmic; the standard error is over texts.""",
            draw=draw,
        ),
    ),
    meaning="""\
Gradients say what a nudge would do; this says what the model makes of what it has read. The two
need not agree: a small influence that many characters share can be worth much.""",
    how="""\
For every prediction the network starts anew from the zero state and reads the last <i>k</i>
characters only. In training it meets the zero state at the beginning of a text alone, so that
short contexts cost a little more than the missing characters.""",
    literature="Khandelwal et al. 2018 (effective context).",
)
