"""Is it chaotic, contracting, or on the edge? Finite-time Lyapunov exponents of every text."""

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
    """The largest exponents, in nats a step, and how they settled.

    Attributes:
        exponents: of every text, descending, (B, k).
        mean, spread: their mean and standard deviation over the texts, (k,).
        e_folding: 1 / |λ₁| of the mean, in steps; None where it is 0.
        times: steps counted, of each row of the curve, (R,).
        curve, curve_spread: mean and standard deviation of the estimates over the texts, (R, k);
            their last row is `mean` and `spread`.
        row: what a text is called.
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
    """Follow perturbations along every text.

    Args:
        reading: of some texts.

    Returns:
        The exponents over the whole state of all layers.
    """
    step, params, start, *_ = reading.reader
    settings = reading.settings
    k = min(settings.exponents, size_of(start))
    key = jax.random.key(settings.seed)

    def one(xs: Array) -> LyapunovSpectrum:
        return diagnostics.lyapunov_spectrum(
            step, params, xs, start, k=k, burn_in=settings.burn_in, key=key
        )

    found = jax.jit(jax.vmap(one, in_axes=1))(reading.xs)
    exponents, curve = wide(found.exponents), wide(found.curve)
    first = float(exponents[:, 0].mean())
    return Exponents(
        exponents=exponents,
        mean=exponents.mean(0),
        spread=exponents.std(0),
        e_folding=1 / abs(first) if first else None,
        times=np.asarray(found.times[0]),
        curve=curve.mean(0),
        curve_spread=curve.std(0),
        row=reading.reader.words.row,
    )


def figures(found: Exponents) -> dict[str, object]:
    """Give what stands in diagnosis.json: numbers."""
    return {name: value for name, value in vars(found).items() if name != "row"}


def say(found: Exponents) -> str:
    """Say whether it is chaotic, contracting or on the edge, and how sure that is."""
    first, spread = found.mean[0], found.spread[0]
    texts, steps = len(found.exponents), found.times[-1]
    figure = (
        f"λ₁ = {signed(first)} ± {spread:.2g} nats a step over {count(texts, found.row)} of "
        f"{count(steps, 'step')}"
    )
    near = int((first - found.mean[1:] < 1 / steps).sum())
    settled = (
        f" {near:,} more of those computed lie within 1/{steps} of it: too near to be told apart "
        "in so many steps."
        if near
        else ""
    )
    if abs(first) <= spread or found.e_folding is None:
        return f"{figure}: not to be told from 0, the edge between the two.{settled}"
    fold = f"{found.e_folding:.3g} steps"
    if first < 0:
        return (
            f"{figure}: contracting. Two runs over the same {found.row} meet, in the slowest "
            f"direction by a factor e in {fold}.{settled}"
        )
    positive = int((found.mean > 0).sum())
    return (
        f"{figure}: chaotic on these {found.row}s, {count(positive, 'direction')} of those "
        f"computed growing. Two runs over the same {found.row} part by a factor e in {fold}."
        f"{settled}"
    )


def summarize(found: Exponents) -> Lines:
    """Give the first exponent."""
    fold = f" (1/|λ| = {found.e_folding:.3g} steps)" if found.e_folding else ""
    said = f"{signed(found.mean[0])} ± {found.spread[0]:.2g} nats a step{fold}"
    return [("Lyapunov exponent", said)]


def draw(found: Exponents, answers: Answers) -> Figure:
    """Draw the spectrum over the texts, and its convergence."""
    from lstm_jax.plots import lyapunov_convergence, lyapunov_exponents, new_figure

    figure = new_figure(2)
    lyapunov_exponents(found.exponents, axes=figure.axes[0])
    spectrum = LyapunovSpectrum(*map(jnp.asarray, (found.mean, found.curve, found.times)))
    lyapunov_convergence(spectrum, spread=found.curve_spread, axes=figure.axes[1])
    return figure


QUESTION = Question(
    name="lyapunov",
    ask=ask,
    figures=figures,
    doing="chaotic, contracting, or on the edge?",
    title="Is it chaotic, contracting, or on the edge?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="lyapunov",
            alt="Lyapunov exponents and their convergence",
            caption="""\
Left: the largest exponents of each {words.row}, their mean and standard deviation over the
{words.row}s. Right: the estimates against the steps counted; where a curve still moves, the
{words.row} is too short for it. The last estimates are those at the left.""",
            draw=draw,
        ),
    ),
    meaning="""\
An exponent is the mean rate at which a small difference between two states grows while both runs
read the same {words.row}. All below 0: the runs meet, and what the state was before is forgotten
at that rate. The nearer the first is to 0, the longer the memory. Above 0 there would be chaos.""",
    how="""\
<span class="maths"><i>Q<sub>t</sub></i> <i>R<sub>t</sub></i> = QR(<i>J<sub>t</sub></i>
<i>Q</i><sub><i>t</i>−1</sub>), λ<sub><i>i</i></sub> = mean ln
|<i>R</i><sub><i>t</i>,<i>ii</i></sub>|</span> after {settings.burn_in} steps that are not
counted, over the whole state: over <i>h</i> alone the figure would be wrong. They are of finite
time: the exponents of these {words.row}s, not limits. Directions whose rates are close are sorted
out only over about 1/(λ<sub>1</sub> − λ<sub>2</sub>) steps, and on longer {words.row}s the first
may lie nearer to 0.""",
    literature="Benettin et al. 1980; Engelken, Wolf &amp; Abbott 2023; Vogt et al. 2022.",
)
