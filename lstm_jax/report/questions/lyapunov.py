"""Question "Is it chaotic, contracting or on the edge?": Lyapunov exponents of every text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax import diagnostics
from lstm_jax.diagnostics import LyapunovSpectrum
from lstm_jax.report.measures import size_of, wide
from lstm_jax.report.question import Answers, Lines, Picture, Question
from lstm_jax.report.reading import Reading
from lstm_jax.report.words import count, signed

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure


@dataclass(frozen=True)
class Exponents:
    """Store the largest exponents, in nats per step, and how they converged.

    Attributes:
        exponents: of every text, descending, (B, k).
        mean, spread: their mean and standard deviation over the texts, (k,).
        e_folding: 1 / |λ₁| of the mean, in steps; None if it is 0.
        times: number of steps for each row of the curve, (R,).
        curve, curve_spread: mean and standard deviation of the estimates over the texts, (R, k);
            their last row is `mean` and `spread`.
        row: the name of a text.
    """

    exponents: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    e_folding: float | None
    times: np.ndarray
    curve: np.ndarray
    curve_spread: np.ndarray
    row: str = "text"


def ask(reading: Reading) -> Exponents:
    """Compute the exponents along every text.

    Args:
        reading: of some texts.

    Returns:
        The exponents over the whole state of all layers.
    """
    step, params, start, *_ = reading.reader
    settings = reading.settings
    k = min(settings.exponents, size_of(start))
    key = jax.random.key(settings.seed)

    def of_text(xs: Array) -> LyapunovSpectrum:
        return diagnostics.lyapunov_spectrum(
            step, params, xs, start, k=k, burn_in=settings.burn_in, key=key
        )

    spectra = jax.jit(jax.vmap(of_text, in_axes=1))(reading.xs)
    exponents, curve = wide(spectra.exponents), wide(spectra.curve)
    first = float(exponents[:, 0].mean())
    return Exponents(
        exponents=exponents,
        mean=exponents.mean(0),
        spread=exponents.std(0),
        e_folding=1 / abs(first) if first else None,
        times=np.asarray(spectra.times[0]),
        curve=curve.mean(0),
        curve_spread=curve.std(0),
        row=reading.reader.words.row,
    )


def figures(answer: Exponents) -> dict[str, object]:
    """Return the entry in diagnosis.json, which has only numbers."""
    return {name: value for name, value in vars(answer).items() if name != "row"}


def say(answer: Exponents) -> str:
    """Describe whether the model is chaotic, contracting or on the edge, and how certain it is."""
    first, spread = answer.mean[0], answer.spread[0]
    texts, steps = len(answer.exponents), answer.times[-1]
    figure = (
        f"λ₁ = {signed(first)} ± {spread:.2g} nats per step over {count(texts, answer.row)} of "
        f"{count(steps, 'step')}"
    )
    near = int((first - answer.mean[1:] < 1 / steps).sum())
    close = (
        f" {near:,} more of the computed exponents are within 1/{steps} of it, too close to be "
        f"separated in {steps} steps."
        if near
        else ""
    )
    if abs(first) <= spread or answer.e_folding is None:
        return f"{figure}: indistinguishable from 0, the edge between the two.{close}"
    fold = f"{answer.e_folding:.3g} steps"
    if first < 0:
        return (
            f"{figure}: contracting. Two runs over the same {answer.row} converge, in the slowest "
            f"direction by a factor of e in {fold}.{close}"
        )
    positive = int((answer.mean > 0).sum())
    return (
        f"{figure}: chaotic on these {answer.row}s, with growth in {count(positive, 'direction')} "
        f"of those computed. Two runs over the same {answer.row} diverge by a factor of e in "
        f"{fold}.{close}"
    )


def summarize(answer: Exponents) -> Lines:
    """Return the first exponent."""
    fold = f" (1/|λ| = {answer.e_folding:.3g} steps)" if answer.e_folding else ""
    figure = f"{signed(answer.mean[0])} ± {answer.spread[0]:.2g} nats per step{fold}"
    return [("Lyapunov exponent", figure)]


def draw(answer: Exponents, answers: Answers) -> Figure:
    """Draw the spectrum over the texts, and its convergence."""
    from lstm_jax.plots import lyapunov_convergence, lyapunov_exponents, new_figure

    figure = new_figure(2)
    lyapunov_exponents(answer.exponents, axes=figure.axes[0])
    spectrum = LyapunovSpectrum(*map(jnp.asarray, (answer.mean, answer.curve, answer.times)))
    lyapunov_convergence(spectrum, spread=answer.curve_spread, axes=figure.axes[1])
    return figure


QUESTION = Question(
    name="lyapunov",
    ask=ask,
    figures=figures,
    doing="chaotic, contracting or on the edge?",
    title="Is it chaotic, contracting or on the edge?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="lyapunov",
            alt="Lyapunov exponents and their convergence",
            caption="""\
Left: the largest exponents of each {words.row}, with their mean and standard deviation over the
{words.row}s. Right: the estimates by number of steps; where a curve is still moving, the
{words.row} is too short for it. The last estimates are the ones on the left.""",
            draw=draw,
        ),
    ),
    meaning="""\
An exponent is the mean rate at which a small difference between two states grows while both runs
read the same {words.row}. If all are below 0, the runs converge, and the earlier state is forgotten
at that rate. The closer the first is to 0, the longer the memory. Above 0 there is chaos.""",
    how="""\
<span class="maths"><i>Q<sub>t</sub></i> <i>R<sub>t</sub></i> = QR(<i>J<sub>t</sub></i>
<i>Q</i><sub><i>t</i>−1</sub>), λ<sub><i>i</i></sub> = mean ln
|<i>R</i><sub><i>t</i>,<i>ii</i></sub>|</span> after {settings.burn_in} steps that are not
counted, over the whole state, because with <i>h</i> alone the result would be wrong. These are
finite-time exponents of these {words.row}s, not limits. Directions with similar rates separate only
over about 1/(λ<sub>1</sub> − λ<sub>2</sub>) steps, and on longer {words.row}s the first exponent
may be closer to 0.""",
    literature="Benettin et al. 1980; Engelken, Wolf &amp; Abbott 2023; Vogt et al. 2022.",
)
