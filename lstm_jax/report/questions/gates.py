"""Question "What do the gates do?": histograms, saturation, timescales and horizons by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax import diagnostics
from lstm_jax.cells import LSTMGates
from lstm_jax.diagnostics import GateHistogram, Saturation
from lstm_jax.report.measures import without_a_cell
from lstm_jax.report.question import Answers, Lines, Picture, Question
from lstm_jax.report.reading import Reading
from lstm_jax.report.words import duration, percent

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure

NAMES = {"i": "Input gate i", "f": "Forget gate f", "g": "Candidate g", "o": "Output gate o"}
SATURATE = "ifo"  # the candidate is not a gate


class LayerGates(NamedTuple):
    """Store figures of the H units of one layer, over all texts and steps.

    Attributes:
        histograms: of each gate's activations.
        mean: of each gate.
        saturation: of each unit of i, f and o.
        saturated: the mean of `saturation` over all units, ().
        timescales: τ of each unit, (H,), in steps; infinite if f was always 1.
        median_timescale, slowest_tenth: median and 0.9 quantile of the timescales, ().
        median_horizon: steps until 1% of a cell is left, median over units and texts, ().
        beyond_text: share of units and texts in which that takes longer than the text, ().
    """

    histograms: dict[str, GateHistogram]
    mean: dict[str, Array]
    saturation: dict[str, Saturation]
    saturated: dict[str, Saturation]
    timescales: Array
    median_timescale: Array
    slowest_tenth: Array
    median_horizon: Array
    beyond_text: Array


@dataclass(frozen=True)
class Gates:
    """Store the figures of every layer, bottom first."""

    layers: tuple[LayerGates, ...]


def ask(reading: Reading) -> Gates:
    """Collect statistics of the gates at every step of every text.

    Args:
        reading: of some texts.

    Returns:
        Figures of every layer.
    """
    return Gates(tuple(_of_layer(gates) for gates in reading.gates or ()))


@jax.jit
def _of_layer(gates: LSTMGates) -> LayerGates:
    by_name = gates._asdict()
    sides = {name: diagnostics.saturation(by_name[name]) for name in SATURATE}
    horizon = diagnostics.memory_horizon(gates.f)
    taus = diagnostics.timescales(gates.f)
    return LayerGates(
        histograms={
            name: diagnostics.histogram(gate, limits=(-1.0 if name == "g" else 0.0, 1.0))
            for name, gate in by_name.items()
        },
        mean={name: gate.mean() for name, gate in by_name.items()},
        saturation=sides,
        saturated={n: Saturation(s.left.mean(), s.right.mean()) for n, s in sides.items()},
        timescales=taus,
        median_timescale=jnp.median(taus),
        slowest_tenth=jnp.quantile(taus, 0.9),
        median_horizon=jnp.median(horizon),
        beyond_text=(horizon > len(gates.f)).mean(),
    )


def say(answer: Gates) -> str:
    """Describe how long the cells of each layer keep, and how often its forget gate saturates."""
    sentences = []
    for number, layer in enumerate(answer.layers):
        forget = layer.saturated["f"]
        sentences.append(
            f"Layer {number + 1}: half of the cells fade to 1/e within "
            f"{duration(float(layer.median_timescale))} steps, the slowest tenth takes "
            f"{duration(float(layer.slowest_tenth))} or more; the forget gate is above 0.9 in "
            f"{percent(float(forget.right))} of all cases and below 0.1 in "
            f"{percent(float(forget.left))}."
        )
    return " ".join(sentences)


def summarize(answer: Gates) -> Lines:
    """Return the timescales of each layer."""
    figures = "; ".join(
        f"layer {number + 1}: median {duration(float(layer.median_timescale))}, slowest tenth from "
        f"{duration(float(layer.slowest_tenth))}"
        for number, layer in enumerate(answer.layers)
    )
    return [("timescales", f"{figures} steps")]


def draw(answer: Gates, answers: Answers) -> Figure:
    """Draw histograms in the upper row, saturation and timescales in the lower."""
    from lstm_jax.plots import gate_histograms, new_figure, saturation, timescales

    figure = new_figure(2, 4, size=(5.0, 3.3))
    layers = {f"layer {number + 1}": layer for number, layer in enumerate(answer.layers)}
    for (gate, title), axes in zip(NAMES.items(), figure.axes[:4], strict=True):
        shares = {name: layer.histograms[gate] for name, layer in layers.items()}
        gate_histograms(shares, title=title, axes=axes)
    for gate, axes in zip(SATURATE, figure.axes[4:7], strict=True):
        sides = {name: layer.saturation[gate] for name, layer in layers.items()}
        saturation(sides, title=f"{NAMES[gate]}: saturation", axes=axes)
    taus = {name: np.asarray(layer.timescales) for name, layer in layers.items()}
    timescales(taus, axes=figure.axes[7])
    return figure


QUESTION = Question(
    name="gates",
    ask=ask,
    doing="what do the gates do?",
    title="What do the gates do?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="gates",
            alt="Histograms of the gates, saturation of every unit, and distribution of the "
            "timescales",
            caption="""\
Top: distribution of each gate's activations over all units and steps. Bottom: how often the gate
of each unit is below 0.1 and above 0.9, and the distribution of the units' timescales.""",
            draw=draw,
        ),
    ),
    meaning="""\
A unit whose forget gate is always open counts or remembers; one whose gates are always near the
middle mixes. The timescale τ of a unit is the time after which its forget gate alone leaves 1/e of
its cell. Most memories may be short while a few long ones do the work:
compare with question {number[context]}.""",
    how="""\
<span class="maths">τ = −1 / mean ln <i>f<sub>t</sub></i></span> over all {words.row}s and steps. It
is the mean of the logarithm because the product of the gates decides how much is kept.""",
    lacks=without_a_cell,
    literature="Karpathy, Johnson &amp; Fei-Fei 2015 (saturation); Tallec &amp; Ollivier 2018 "
    "(timescales).",
)
