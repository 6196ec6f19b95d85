"""Which road does the gradient take: along the cell, or through the hidden state?"""

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

SCALE = 2.0**40  # of a loss whose gradient may be very small


@dataclass(frozen=True)
class RoadNorms:
    """What reaches a past state by each road: geometric means over the predictions, by lag.

    Attributes:
        lags: 0 to the longest, (lags + 1,).
        predictions: how many have a gradient at all.
        ln_total: ln ‖dL/ds‖ by all roads, (lags + 1,).
        ln_through_cell: along the cell alone; likewise.
        ln_through_hidden: through the hidden state alone; -inf where nothing arrives.
        share_of_cell: of the whole norm, along the cell alone, (lags + 1,).
        cosine_of_cell: on the cells, between the two gradients, (lags + 1,); NaN where one is 0.
        hidden_rate: by how many nats a step the third road falls; None where it has no line.
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
        """The longest lag."""
        return int(self.lags[-1])


def ask(reading: Reading) -> RoadNorms:
    """Follow the gradient of single predictions back with all roads open, and with one.

    Args:
        reading: of some texts.

    Returns:
        Norms by lag, over all predictions.
    """
    xs, start, loss = predictions(reading)
    step, params = reading.reader.step, reading.reader.params

    # The gradient is linear in the loss: a power of two keeps the faint road within float32.
    def scaled(states: StackState) -> Array:
        return SCALE * loss(states)

    found = jax.jit(lambda: diagnostics.cell_and_hidden(step, params, xs, start, scaled))()
    norms = [whole(norms_by_lag(road)) / SCALE for road in found]
    felt = norms[0][0] > 0
    total, cell = (
        np.concatenate([wide(layer.c)[::-1][..., felt, :] for layer in road], axis=-1)
        for road in found[:2]
    )
    cosine = (total * cell).sum(-1) / np.sqrt((total**2).sum(-1) * (cell**2).sum(-1))
    ln_total, ln_cell, ln_hidden = (mean_ln(norm[:, felt]) for norm in norms)
    lags = np.arange(len(total))
    fall = line(lags[1:], ln_hidden[1:])
    return RoadNorms(
        lags=lags,
        predictions=int(felt.sum()),
        ln_total=ln_total,
        ln_through_cell=ln_cell,
        ln_through_hidden=ln_hidden,
        share_of_cell=np.exp(ln_cell - ln_total),
        cosine_of_cell=cosine.mean(-1),
        hidden_rate=None if fall is None else fall.slope,
    )


def say(found: RoadNorms) -> str:
    """Say what each road alone brings to the longest lag."""
    share, cosine = found.share_of_cell[found.last], found.cosine_of_cell[found.last]
    text = f"At lag {found.last} the cell alone brings {percent(share)} of the gradient's norm"
    if math.isfinite(cosine):
        text += f"; on the cells, its cosine with the whole gradient is {cosine:.2f}"
    rate = found.hidden_rate
    fall = f"; it falls by {-rate:.2g} nats a step" if rate and rate < 0 else ""
    return f"{text}. Through the hidden state alone arrives {_hidden(found)}{fall}."


def summarize(found: RoadNorms) -> Lines:
    """Give what both roads bring."""
    share = percent(found.share_of_cell[found.last])
    said = f"alone it brings {share} of the gradient at lag {found.last}; h alone {_hidden(found)}"
    return [("cell road", said)]


def _hidden(found: RoadNorms) -> str:
    """What arrives through the hidden state alone at the longest lag, of all that does."""
    part = found.ln_through_hidden[-1] - found.ln_total[-1]
    return f"{power(part)} of it" if math.isfinite(part) else "less than float32 can hold"


def draw(found: RoadNorms, answers: Answers) -> Figure:
    """Draw the three roads by lag."""
    from lstm_jax.plots import new_figure, roads

    figure = new_figure(size=(6.4, 4.2))
    logs = (found.ln_total, found.ln_through_cell, found.ln_through_hidden)
    roads(Roads(*map(np.exp, logs)), axes=figure.axes[0])
    return figure


QUESTION = Question(
    name="roads",
    ask=ask,
    doing="which road does the gradient take?",
    title="Which road does the gradient take?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="roads",
            alt="Gradient norm by lag: all roads, along the cell alone, through the hidden state "
            "alone",
            caption="""\
The norm of ∂<i>L</i>/∂<i>s</i> with all roads open, with every <i>h</i> detached where it enters
a step, and with every <i>c</i> detached. Logarithmic above, linear along: a straight line is an
exponential. Paths that change roads are in neither, so the two do not add up.""",
            draw=draw,
            narrow=True,
        ),
    ),
    meaning="""\
The LSTM was built so that the error can travel along the cell, <span
class="maths">∂<i>c<sub>t</sub></i>/∂<i>c</i><sub><i>t</i>−1</sub> =
diag(<i>f<sub>t</sub></i>)</span>, past the gates' weights and their squashing. Here is what is
left of the gradient if that road alone, or the other alone, is open.""",
    how="""\
The gradient of question {number[adjoints]} three times: whole, and with
<code>stop_gradient</code> on the old <i>h</i>, or the old <i>c</i>, of every layer. The values
are the same; only the backward pass changes.""",
    lacks=without_a_cell,
    literature="Hochreiter &amp; Schmidhuber 1997 (constant error carousel); Kanuparthi et al. "
    "2019 (h-detach).",
)
