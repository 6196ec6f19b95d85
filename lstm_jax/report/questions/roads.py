"""Question "Which path does the gradient take?": along the cell, or through the hidden state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax import Array

from lstm_jax import diagnostics
from lstm_jax.diagnostics import Roads
from lstm_jax.recurrence import StackState
from lstm_jax.report.measures import (
    line,
    mean_ln,
    norms_by_lag,
    predictions,
    whole,
    wide,
    without_a_cell,
)
from lstm_jax.report.question import Answers, Lines, Picture, Question
from lstm_jax.report.reading import Reading
from lstm_jax.report.words import percent, power

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure

SCALE = 2.0**40  # for a loss whose gradient may be very small


@dataclass(frozen=True)
class RoadNorms:
    """Store the gradient that reaches a past state by each path, geometric means by lag.

    Attributes:
        lags: 0 to the longest, (lags + 1,).
        predictions: number of predictions with a gradient.
        ln_total: ln ‖dL/ds‖ by all paths, (lags + 1,).
        ln_through_cell: the same along the cell alone, (lags + 1,).
        ln_through_hidden: the same through the hidden state alone, (lags + 1,); -inf where nothing
            arrives.
        share_of_cell: the norm along the cell alone divided by the whole norm, (lags + 1,).
        cosine_of_cell: between these two gradients on the cells, (lags + 1,); NaN if one is 0.
        hidden_rate: slope of `ln_through_hidden`, in nats per step; None if it has no line.
    """

    lags: np.ndarray
    predictions: int
    ln_total: np.ndarray
    ln_through_cell: np.ndarray
    ln_through_hidden: np.ndarray
    share_of_cell: np.ndarray
    cosine_of_cell: np.ndarray
    hidden_rate: float | None

    @property
    def last(self) -> int:
        """Return the longest lag."""
        return int(self.lags[-1])


def ask(reading: Reading) -> RoadNorms:
    """Trace the gradient of single predictions back along all paths, and along each alone.

    Args:
        reading: of some texts.

    Returns:
        Norms by lag, over all predictions.
    """
    xs, start, loss = predictions(reading)
    step, params = reading.reader.step, reading.reader.params

    # The gradient is linear in the loss, so a power of two keeps the weak path within float32.
    def scaled(states: StackState) -> Array:
        return SCALE * loss(states)

    paths = jax.jit(lambda: diagnostics.cell_and_hidden(step, params, xs, start, scaled))()
    norms = [whole(norms_by_lag(path)) / SCALE for path in paths]
    nonzero = norms[0][0] > 0
    total, cell = (
        np.concatenate([wide(layer.c)[::-1][..., nonzero, :] for layer in path], axis=-1)
        for path in paths[:2]
    )
    cosine = (total * cell).sum(-1) / np.sqrt((total**2).sum(-1) * (cell**2).sum(-1))
    ln_total, ln_cell, ln_hidden = (mean_ln(norm[:, nonzero]) for norm in norms)
    lags = np.arange(len(total))
    fall = line(lags[1:], ln_hidden[1:])
    return RoadNorms(
        lags=lags,
        predictions=int(nonzero.sum()),
        ln_total=ln_total,
        ln_through_cell=ln_cell,
        ln_through_hidden=ln_hidden,
        share_of_cell=np.exp(ln_cell - ln_total),
        cosine_of_cell=cosine.mean(-1),
        hidden_rate=None if fall is None else fall.slope,
    )


def say(answer: RoadNorms) -> str:
    """Describe how much of the gradient each path alone carries to the longest lag."""
    share, cosine = answer.share_of_cell[answer.last], answer.cosine_of_cell[answer.last]
    text = f"At lag {answer.last}, the cell alone carries {percent(share)} of the gradient's norm"
    if math.isfinite(cosine):
        text += f"; on the cells, its cosine with the whole gradient is {cosine:.2f}"
    rate = answer.hidden_rate
    fall = f" and decays by {-rate:.2g} nats per step" if rate and rate < 0 else ""
    return f"{text}. The hidden state alone carries {_hidden(answer)}{fall}."


def summarize(answer: RoadNorms) -> Lines:
    """Return the shares of both paths."""
    share = percent(answer.share_of_cell[answer.last])
    figures = f"carries {share} of the gradient at lag {answer.last}; h alone {_hidden(answer)}"
    return [("path along the cell", figures)]


def _hidden(answer: RoadNorms) -> str:
    """Describe the share of the gradient through the hidden state alone at the longest lag."""
    part = answer.ln_through_hidden[-1] - answer.ln_total[-1]
    return f"{power(part)} of it" if math.isfinite(part) else "less than float32 can represent"


def draw(answer: RoadNorms, answers: Answers) -> Figure:
    """Draw the norms of the three paths by lag."""
    from lstm_jax.plots import new_figure, roads

    figure = new_figure(size=(6.4, 4.2))
    logs = (answer.ln_total, answer.ln_through_cell, answer.ln_through_hidden)
    roads(Roads(*map(np.exp, logs)), axes=figure.axes[0])
    return figure


QUESTION = Question(
    name="roads",
    ask=ask,
    doing="which path does the gradient take?",
    title="Which path does the gradient take?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="roads",
            alt="Gradient norm by lag: all paths, along the cell alone, through the hidden state "
            "alone",
            caption="""\
The norm of ∂<i>L</i>/∂<i>s</i> with all paths open, with every <i>h</i> detached where it enters
a step, and with every <i>c</i> detached. On this logarithmic vertical axis, a straight line is an
exponential. Routes that switch between cell and hidden state belong to neither path, so the two do
not add up.""",
            draw=draw,
            narrow=True,
        ),
    ),
    meaning="""\
The LSTM was built so that the error can travel along the cell, <span
class="maths">∂<i>c<sub>t</sub></i>/∂<i>c</i><sub><i>t</i>−1</sub> =
diag(<i>f<sub>t</sub></i>)</span>, bypassing the gates' weights and their squashing. This shows what
is left of the gradient if only that path, or only the other one, is open.""",
    how="""\
The gradient of question {number[adjoints]} is computed three times: whole, and with
<code>stop_gradient</code> on the old <i>h</i>, or on the old <i>c</i>, of every layer. The values
are the same; only the backward pass changes.""",
    lacks=without_a_cell,
    literature="Hochreiter &amp; Schmidhuber 1997 (constant error carousel); Kanuparthi et al. "
    "2019 (h-detach).",
)
