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
from lstm_jax.report.reading import CHARACTERS, Reading, Words
from lstm_jax.report.words import count

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure

TOLERANCE = 0.01  # nats, or a share of other losses: two nearer than this count as one


@dataclass(frozen=True)
class Context:
    """The mean loss of the same predictions by how many symbols, or steps, were read before each.

    Attributes:
        contexts: symbols read, ascending, L.
        nats: the mean loss after reading so many, (L,).
        whole: the same after reading everything.
        gap: how much larger `nats` is, (L,).
        gap_error: its standard error over texts, (L,); None of a single text.
        predictions: how many.
        tolerance: two losses nearer than this count as one.
        memory_length: the context from which on more does not help; None if all do.
        words: what a symbol and the loss are called.
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
    """Predict the same symbols again after reading only the last few before each.

    Args:
        reading: of some texts.

    Returns:
        Losses by context.
    """
    contexts, losses, whole = (_of_rows if reading.whole else _of_symbols)(reading)
    words = reading.reader.words
    gap = (losses - whole).mean(2)  # of each text: its predictions are not independent
    mean = losses.mean((0, 2))
    tolerance = TOLERANCE if words.unit == "nats" else TOLERANCE * float(whole.mean())
    # All that there is to read stands last, as the longest context; 0 names it.
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
    """Powers of two in between, and one more near the end."""
    powers = [*(2 ** np.arange(np.log2(below) + 1)), 3 * below // 4, least]
    return sorted({int(context) for context in powers if least <= context < below})


def _of_rows(reading: Reading) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Contexts (L), the losses of whole rows after reading their ends alone (B, L, 1), and all."""
    again, least = reading.reader.again, reading.reader.least
    assert again is not None
    contexts = _powers(least, reading.settings.steps)
    losses = np.stack([wide(again(context)) for context in contexts], 1)[..., None]
    return contexts, losses, wide(reading.losses)[:, None, None]


def _of_symbols(reading: Reading) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Contexts (L), the losses of the same predictions after each (B, L, P), and (B, 1, P)."""
    step, params, start, longest = *reading.reader[:3], reading.settings.lags
    contexts = [*_powers(1, longest), longest]

    def one(row: tuple[Array, Array]) -> Array:
        xs, targets = row

        def loss(state: StackState, t: Array) -> Array:
            return reading.reader.loss(state.h[None, None], targets[t][None])[0]

        return diagnostics.loss_by_context(step, params, xs, start, loss, contexts).losses

    # Of a longer text its beginning: every prediction is made anew for each context.
    some = slice(2 * longest)
    targets = jnp.asarray(reading.streams.targets[:, some])
    rows = jnp.swapaxes(reading.xs[some], 0, 1), targets
    losses = wide(jax.jit(lambda: jax.lax.map(one, rows))())
    return contexts, losses, reading.losses[some][longest - 1 :].T[:, None]


def lacks(reading: Reading) -> str | None:
    """Say why less cannot be read; None where it can."""
    if not reading.whole or reading.reader.least < reading.settings.steps:
        return None
    return f"the model reads no fewer than {reading.reader.least} steps, which is all there are"


def figures(found: Context) -> dict[str, object]:
    """Give what stands in diagnosis.json: an error for each context, though it be unknown."""
    unknown = [None] * len(found.contexts)
    kept = {name: value for name, value in vars(found).items() if name != "words"}
    kept |= {"gap_error": unknown if found.gap_error is None else found.gap_error}
    if found.words.unit != "nats":
        kept |= {"losses": kept.pop("nats"), "unit": found.words.unit}
    return kept


def say(found: Context) -> str:
    """Say what the loss is with little and with much read, and where it stands."""
    first, last = found.contexts[0], found.contexts[-1]
    read = count(first, found.words.symbol)
    if found.words.unit != "nats":
        return (
            f"With {read} read the {found.words.unit} is {found.nats[0]:.3g}, with {last} it is "
            f"{found.nats[-1]:.3g}, with everything {found.whole:.3g}. It remembers "
            f"{_memory(found)}."
        )
    return (
        f"With {read} read the loss is {found.nats[0]:.2f} nats, with "
        f"{last} it is {found.nats[-1]:.2f}, with everything {found.whole:.2f}. It "
        f"remembers {_memory(found)}."
    )


def summarize(found: Context) -> Lines:
    """Give the memory's length."""
    return [("memory", _memory(found))]


def _memory(found: Context) -> str:
    length, symbol = found.memory_length, found.words.symbol
    nats = found.words.unit == "nats"
    if length is None:
        more = count(found.contexts[-1], symbol)
        if nats:
            return (
                f"more than {more}: with so many, {found.gap[-1]:.2g} nats are still missing to "
                "what it makes of everything"
            )
        return f"more than {more}: with so many, its loss is still {found.gap[-1]:.2g} higher"
    near = f"{found.tolerance:g} nats" if nats else f"{TOLERANCE:.0%}"
    return f"{count(length, symbol)}: with so many it is within {near} of everything read"


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
        unit=_unit(found),
        axes=figure.axes[0],
    )
    context_gap(
        found.contexts,
        found.gap,
        errors=found.gap_error,
        tolerance=found.tolerance,
        unit=found.words.unit,
        axes=figure.axes[1],
    )
    return figure


def _unit(found: Context) -> str:
    return "nats per step" if found.words.symbol == found.words.judged else found.words.unit


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
            alt="Mean loss against how much was read before each prediction",
            caption="""\
Left: mean loss of the same {answer.predictions:,} predictions after reading only the last few
{words.symbol}s before each. Vertical lines: where the influence of question {number[adjoints]}
falls below a fraction, if it does. Right: the loss above that of the same predictions with
everything read, both axes logarithmic; the standard error is over {words.row}s.""",
            draw=draw,
        ),
    ),
    meaning="""\
Gradients say what a nudge would do; this says what the model makes of what it has read. The two
need not agree: a small influence that many {words.symbol}s share can be worth much.""",
    how="""\
For every prediction the network starts anew from the zero state and reads the last <i>k</i>
{words.symbol}s only. In training it meets the zero state at the beginning of a {words.row} alone,
so that short contexts cost a little more than the missing {words.symbol}s.""",
    literature="Khandelwal et al. 2018 (effective context).",
    lacks=lacks,
)
