"""Question "How long does it remember?": the loss of the same predictions by context length."""

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
from lstm_jax.report.reading import CHARACTERS, Reading, Words
from lstm_jax.report.words import count

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure

TOLERANCE = 0.01  # in nats, or relative for other losses; closer losses count as equal


@dataclass(frozen=True)
class Context:
    """Store the mean loss of the same predictions by the number of symbols read before each.

    Attributes:
        contexts: L numbers of symbols (or steps) read, ascending.
        nats: the mean loss for each context, (L,).
        whole: the mean loss after reading everything.
        gap: the mean of `nats` - `whole`, (L,).
        gap_error: its standard error over texts, (L,); None for a single text.
        predictions: number of predictions.
        tolerance: losses that differ by less count as equal.
        memory_length: the context beyond which more does not help; None if more always helps.
        words: the names of a symbol and of the loss.
    """

    contexts: list[int]
    nats: np.ndarray
    whole: float
    gap: np.ndarray
    gap_error: np.ndarray | None
    predictions: int
    tolerance: float
    memory_length: int | None
    words: Words = CHARACTERS


def ask(reading: Reading) -> Context:
    """Repeat the same predictions after reading only the last few symbols before each.

    Args:
        reading: of some texts.

    Returns:
        Losses by context.
    """
    contexts, losses, whole = (_of_rows if reading.whole else _of_symbols)(reading)
    words = reading.reader.words
    gap = (losses - whole).mean(2)  # per text, whose predictions are not independent
    mean = losses.mean((0, 2))
    tolerance = TOLERANCE if words.unit == "nats" else TOLERANCE * float(whole.mean())
    # Reading everything comes last, as the longest context, under the name 0.
    all_contexts, all_means = jnp.array([*contexts, 0]), jnp.array([*mean, whole.mean()])
    length = diagnostics.memory_length(all_contexts, all_means, tolerance=tolerance)
    return Context(
        contexts=contexts,
        nats=mean,
        whole=float(whole.mean()),
        gap=gap.mean(0),
        gap_error=gap.std(0, ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else None,
        predictions=losses[:, 0].size,
        tolerance=tolerance,
        memory_length=int(length) or None,
        words=words,
    )


def _powers(least: int, below: int) -> list[int]:
    """Return `least`, the powers of two from there to `below`, and one more near the end."""
    powers = [*(2 ** np.arange(np.log2(below) + 1)), 3 * below // 4, least]
    return sorted({int(context) for context in powers if least <= context < below})


def _of_rows(reading: Reading) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Compute contexts (L), the losses of rows by context (B, L, 1), and whole (B, 1, 1)."""
    again, least = reading.reader.again, reading.reader.least
    assert again is not None
    contexts = _powers(least, reading.settings.steps)
    losses = np.stack([wide(again(context)) for context in contexts], 1)[..., None]
    return contexts, losses, wide(reading.losses)[:, None, None]


def _of_symbols(reading: Reading) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Compute contexts (L), the losses of predictions by context (B, L, P), and whole (B, 1, P)."""
    step, params, start, longest = *reading.reader[:3], reading.settings.lags
    contexts = [*_powers(1, longest), longest]

    def of_row(row: tuple[Array, Array]) -> Array:
        xs, targets = row

        def loss(state: StackState, t: Array) -> Array:
            return reading.reader.loss(state.h[None, None], targets[t][None])[0]

        return diagnostics.loss_by_context(step, params, xs, start, loss, contexts).losses

    # Only the beginning of a longer text, because every prediction is repeated for each context.
    beginning = slice(2 * longest)
    targets = jnp.asarray(reading.streams.targets[:, beginning])
    rows = jnp.swapaxes(reading.xs[beginning], 0, 1), targets
    losses = wide(jax.jit(lambda: jax.lax.map(of_row, rows))())
    return contexts, losses, reading.losses[beginning][longest - 1 :].T[:, None]


def lacks(reading: Reading) -> str | None:
    """Return why the model cannot read shorter contexts, or None if it can."""
    if not reading.whole or reading.reader.least < reading.settings.steps:
        return None
    return f"the model needs at least {reading.reader.least} steps, which are all there are"


def figures(answer: Context) -> dict[str, object]:
    """Return the entry in diagnosis.json, with an error for each context, None if unknown."""
    unknown = [None] * len(answer.contexts)
    kept = {name: value for name, value in vars(answer).items() if name != "words"}
    kept |= {"gap_error": unknown if answer.gap_error is None else answer.gap_error}
    if answer.words.unit != "nats":
        kept |= {"losses": kept.pop("nats"), "unit": answer.words.unit}
    return kept


def say(answer: Context) -> str:
    """Describe the loss after little, much and full context, and the length of the memory."""
    first, last = answer.contexts[0], answer.contexts[-1]
    read = count(first, answer.words.symbol)
    if answer.words.unit != "nats":
        return (
            f"After reading {read}, the {answer.words.unit} is {answer.nats[0]:.3g}; after {last} "
            f"it is {answer.nats[-1]:.3g}, and after everything {answer.whole:.3g}. The model "
            f"remembers {_memory(answer)}."
        )
    return (
        f"After reading {read}, the loss is {answer.nats[0]:.2f} nats; after {last} it is "
        f"{answer.nats[-1]:.2f}, and after everything {answer.whole:.2f}. The model remembers "
        f"{_memory(answer)}."
    )


def summarize(answer: Context) -> Lines:
    """Return the length of the memory."""
    return [("memory", _memory(answer))]


def _memory(answer: Context) -> str:
    length, symbol = answer.memory_length, answer.words.symbol
    nats = answer.words.unit == "nats"
    if length is None:
        more = count(answer.contexts[-1], symbol)
        if nats:
            return (
                f"more than {more}: its loss is still {answer.gap[-1]:.2g} nats higher than after "
                "reading everything"
            )
        return (
            f"more than {more}: its loss is still {answer.gap[-1]:.2g} higher than after reading "
            "everything"
        )
    near = f"{answer.tolerance:g} nats" if nats else f"{TOLERANCE:.0%}"
    return f"{count(length, symbol)}: its loss is then within {near} of that after everything"


def draw(answer: Context, answers: Answers) -> Figure:
    """Draw the loss by context, and the cost of a limited context."""
    from lstm_jax.plots import context_gap, context_loss, new_figure

    figure = new_figure(2)
    influence = answers.to(adjoints.QUESTION)
    context_loss(
        answer.contexts,
        answer.nats,
        whole=answer.whole,
        memory=answer.memory_length,
        marks=influence.influence_lag if influence else None,
        unit=_unit(answer),
        axes=figure.axes[0],
    )
    context_gap(
        answer.contexts,
        answer.gap,
        errors=answer.gap_error,
        tolerance=answer.tolerance,
        unit=answer.words.unit,
        axes=figure.axes[1],
    )
    return figure


def _unit(answer: Context) -> str:
    return "nats per step" if answer.words.symbol == answer.words.judged else answer.words.unit


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
            alt="Mean loss by length of the context before each prediction",
            caption="""\
Left: mean loss of the same {answer.predictions:,} predictions after reading only the last few
{words.symbol}s before each. Vertical lines: where the influence of question {number[adjoints]}
falls below a fraction, if it does. Right: how much higher the loss is than after reading
everything, both axes logarithmic; the standard error is over {words.row}s.""",
            draw=draw,
        ),
    ),
    meaning="""\
Gradients show what a nudge would do; this shows how much use the model makes of what it has read.
The two need not agree: small influences of many {words.symbol}s can add up to a lot.""",
    how="""\
For every prediction, the network starts again from the zero state and reads only the last <i>k</i>
{words.symbol}s. In training it sees the zero state only at the beginning of a {words.row}, so short
contexts cost a little more than the missing {words.symbol}s alone would.""",
    literature="Khandelwal et al. 2018 (effective context).",
    lacks=lacks,
)
