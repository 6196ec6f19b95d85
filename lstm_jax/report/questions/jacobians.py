"""Question "What do the steps do to a perturbation?": norms of steps, spectra of products."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np

from lstm_jax import diagnostics
from lstm_jax.diagnostics import ProductSpectrum, StepNorms
from lstm_jax.report.measures import size_of, window
from lstm_jax.report.question import Answers, Lines, Picture, Question
from lstm_jax.report.reading import Reading
from lstm_jax.report.words import power

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure


@dataclass(frozen=True)
class Perturbations:
    """Store what the last steps of one text do to a perturbation of the state.

    Attributes:
        row: of the text.
        first: number of the first of these steps, counted from 1.
        steps: norms of each step's Jacobian, (lags,).
        bound: ln of the bound from these norms, by lag, (lags + 1,).
        product: the largest singular values of the products back from the last step, at some lags,
            of which the longest is the last.
    """

    row: int
    first: int
    steps: StepNorms
    bound: np.ndarray
    product: ProductSpectrum

    @property
    def last(self) -> int:
        """Return the longest lag."""
        return int(self.product.lags[-1])

    @property
    def last_norm(self) -> float:
        """Return ln of the product's norm at the longest lag."""
        return float(self.product.log_spectral_norm[-1])


def ask(reading: Reading) -> Perturbations:
    """Compute norms and singular values along the last steps of the first text.

    Args:
        reading: of some texts.

    Returns:
        Norms of the steps and spectra of their products, over the whole state of all layers.
    """
    settings, key = reading.settings, jax.random.key(reading.settings.seed)
    lags = settings.lags
    xs, start = window(reading, settings.steps, row=0)
    count = min(settings.singular_values, size_of(start))
    powers = [int(lag) for lag in 2 ** np.arange(np.log2(lags) + 1) if lag < lags]
    problem = reading.reader.step, reading.reader.params, xs, start
    steps = jax.jit(lambda: diagnostics.step_norms(*problem, key=key))()
    product = jax.jit(
        lambda: diagnostics.product_spectrum(*problem, k=count, lags=[*powers, lags], key=key)
    )()
    return Perturbations(
        row=0,
        first=settings.steps - lags + 1,
        steps=steps,
        bound=np.asarray(diagnostics.log_bound(steps.log_spectral)),
        product=product,
    )


def figures(answer: Perturbations) -> dict[str, object]:
    """Return the entry in diagnosis.json."""
    return {
        "row": answer.row,
        "ln_spectral": answer.steps.log_spectral,
        "ln_frobenius": answer.steps.log_frobenius,
        "ln_bound": answer.bound,
        "lags": answer.product.lags,
        "ln_singular_values": answer.product.log_singular_values,
        "ln_product_frobenius": answer.product.log_frobenius,
        "stable_rank": answer.product.stable_rank,
    }


def say(answer: Perturbations) -> str:
    """Describe the effect of one step, of all steps together, and the bound on it."""
    steps = np.asarray(answer.steps.log_spectral)
    return (
        f"A single step stretches its steepest direction by {math.exp(steps.min()):.3g} to "
        f"{math.exp(steps.max()):.3g} times. The product of {answer.last} steps stretches its own "
        f"{power(answer.last_norm)} times, while the step norms only give the bound "
        f"{power(answer.bound[-1])}. Its stable rank is {answer.product.stable_rank[-1]:.2g}, "
        "roughly the number of directions that it preserves."
    )


def summarize(answer: Perturbations) -> Lines:
    """Return the norm of the product and its bound."""
    figures = (
        f"norm {power(answer.last_norm)} over {answer.last} steps; the step norms bound it by "
        f"{power(answer.bound[-1])}"
    )
    return [("product of Jacobians", figures)]


def draw(answer: Perturbations, answers: Answers) -> Figure:
    """Draw the step norms, the spectrum of the product, and its norm next to the bound."""
    from lstm_jax.plots import new_figure, product_bound, product_spectrum, step_norms

    figure = new_figure(3, size=(4.0, 3.5))
    step_norms(answer.steps, first=answer.first, axes=figure.axes[0])
    product_spectrum(answer.product, axes=figure.axes[1])
    product_bound(answer.product, answer.bound, axes=figure.axes[2])
    return figure


QUESTION = Question(
    name="jacobians",
    ask=ask,
    figures=figures,
    doing="what do the steps do to a perturbation?",
    title="What do the steps do to a perturbation, one by one and multiplied?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="jacobians",
            alt="Norms of the steps' Jacobians, singular values of their products, and the bound",
            caption="""\
The last steps of the first {words.row}. Left: the norms of the Jacobians <span
class="maths"><i>J<sub>t</sub></i> = ∂<i>s<sub>t</sub></i>/∂<i>s</i><sub><i>t</i>−1</sub></span>.
Middle: the largest singular values of <span
class="maths">∂<i>s<sub>T</sub></i>/∂<i>s</i><sub><i>T</i>−lag</sub></span>. Right: the largest of
them again, next to the product of the step norms. This bound holds but can be far off, because
each step stretches a different direction.""",
            draw=draw,
        ),
    ),
    meaning="""\
Norms below 1 at every step are enough for gradients to vanish, but norms above 1 are not enough for
them to explode. Only the product itself shows what happens, and it is rarely drawn.""",
    how="""\
Block power iteration and a block Krylov space on the chain of linearized steps, which is never
formed, with QR decompositions whose growth is kept in logarithms; over the whole state (<i>h</i>,
<i>c</i>) of all layers.""",
    literature="Pascanu, Mikolov &amp; Bengio 2013 (the bound); Musco &amp; Musco 2015 (block "
    "Krylov); Pennington, Schoenholz &amp; Ganguli 2017 (singular values of products).",
)
