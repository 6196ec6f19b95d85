"""What do the gates do? Histograms, saturation, timescales and memory horizons of every layer."""

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
SATURATE = "ifo"  # the candidate is no gate


class LayerGates(NamedTuple):
    """What the H units of one layer do, over all texts and steps.

    Attributes:
        histograms: of each gate's activations.
        mean: of each gate.
        saturation: of each unit of i, f and o.
        saturated: the same of all units together, ().
        timescales: τ of each unit, (H,), in steps; infinite where f was always 1.
        median_timescale, slowest_tenth: of these, ().
        median_horizon: steps until 1 % is left of a cell, median over units and texts, ().
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
    """What the gates of every layer do, bottom first."""

    layers: tuple[LayerGates, ...]


def ask(reading: Reading) -> Gates:
    """Count what the gates did at every step of every text.

    Args:
        reading: of some texts.

    Returns:
        Figures of every layer.
    """
    return Gates(tuple(_of_layer(found) for found in reading.gates or ()))


@jax.jit
def _of_layer(found: LSTMGates) -> LayerGates:
    every = found._asdict()
    sides = {name: diagnostics.saturation(every[name]) for name in SATURATE}
    horizon = diagnostics.memory_horizon(found.f)
    taus = diagnostics.timescales(found.f)
    return LayerGates(
        histograms={
            name: diagnostics.histogram(gate, limits=(-1.0 if name == "g" else 0.0, 1.0))
            for name, gate in every.items()
        },
        mean={name: gate.mean() for name, gate in every.items()},
        saturation=sides,
        saturated={n: Saturation(s.left.mean(), s.right.mean()) for n, s in sides.items()},
        timescales=taus,
        median_timescale=jnp.median(taus),
        slowest_tenth=jnp.quantile(taus, 0.9),
        median_horizon=jnp.median(horizon),
        beyond_text=(horizon > len(found.f)).mean(),
    )


def say(found: Gates) -> str:
    """Say of each layer how long its cells keep, and how often its forget gate is saturated."""
    said = []
    for number, layer in enumerate(found.layers):
        forget = layer.saturated["f"]
        said.append(
            f"Layer {number + 1}: half of the cells fade to 1/e within "
            f"{duration(float(layer.median_timescale))} steps, the slowest tenth takes "
            f"{duration(float(layer.slowest_tenth))} and more; the forget gate is above 0.9 in "
            f"{percent(float(forget.right))} of all cases and below 0.1 in "
            f"{percent(float(forget.left))}."
        )
    return " ".join(said)


def summarize(found: Gates) -> Lines:
    """Give the timescales of each layer."""
    said = "; ".join(
        f"layer {number + 1}: median {duration(float(layer.median_timescale))}, slowest tenth from "
        f"{duration(float(layer.slowest_tenth))}"
        for number, layer in enumerate(found.layers)
    )
    return [("timescales", f"{said} steps")]


def draw(found: Gates, answers: Answers) -> Figure:
    """Draw histograms above; saturation and timescales below."""
    from lstm_jax.plots import gate_histograms, new_figure, saturation, timescales

    figure = new_figure(2, 4, size=(5.0, 3.3))
    layers = {f"layer {number + 1}": layer for number, layer in enumerate(found.layers)}
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
            alt="Histograms of the gates, saturation of every unit, and the spread of the "
            "timescales",
            caption="""\
Above: where the activations of each gate lie, all units and steps. Below: every unit by how often
its gate is below 0.1 and above 0.9, and how the units' timescales are spread.""",
            draw=draw,
        ),
    ),
    meaning="""\
A unit whose forget gate is always open counts or remembers; one whose gates are always near the
middle mixes. The timescale τ of a unit is the time after which its cell keeps 1/e of what it
held, by its forget gate alone. Most memories may be short while a few long ones do the work:
compare with question {number[context]}.""",
    how="""\
<span class="maths">τ = −1 / mean ln <i>f<sub>t</sub></i></span> over all {words.row}s and steps:
the mean of the logarithm, because it is the product of the gates that keeps.""",
    lacks=without_a_cell,
    literature="Karpathy, Johnson &amp; Fei-Fei 2015 (saturation); Tallec &amp; Ollivier 2018 "
    "(timescales).",
)
