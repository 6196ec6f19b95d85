"""Question "How far back does the loss reach?": dL/ds at every lag before single predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lstm_jax import diagnostics
from lstm_jax.diagnostics.adjoints import FRACTIONS
from lstm_jax.recurrence import StackState
from lstm_jax.report.measures import Line, line, mean_ln, norms_by_lag, predictions, whole, wide
from lstm_jax.report.question import Answers, Lines, Picture, Question
from lstm_jax.report.reading import Reading
from lstm_jax.report.words import percent, signed, since

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure

UNIT_GROUPS = 64


class LayerNorms(NamedTuple):
    """Store ‖dL/dh‖ and ‖dL/dc‖ of one layer, geometric means over the predictions, (lags + 1,).

    c is None for cells without it.
    """

    h: np.ndarray
    c: np.ndarray | None = None


class UnitGroups(NamedTuple):
    """Store |dL/dc| of groups of units with similar timescales, relative to ‖dL/ds‖ at lag 0.

    Attributes:
        timescale: the median τ of each group, (G,), ascending.
        rms: root mean squares over predictions and the group, (lags + 1, G).
    """

    timescale: np.ndarray
    rms: np.ndarray


@dataclass(frozen=True)
class Influence:
    """Store how much a past state matters to the loss of one prediction.

    Attributes:
        lags: 0 to the longest, (lags + 1,).
        predictions: number of predictions with a gradient; those made with certainty have none.
        relative: ‖dL/ds‖ of the whole state, relative to lag 0, geometric mean, (lags + 1,).
        low, high: first and last decile over the predictions, (lags + 1,).
        ln_norm_at_lag_0: ln ‖dL/ds‖ at lag 0; None without predictions.
        layers: norms of each layer, bottom first.
        influence_lag: the lag from which `relative` stays below a fraction; None if it does not.
        power_law: line of ln `relative` against ln lag; None if there is no line.
        exponential: line of ln `relative` against the lag; None if there is no line.
        units: of each layer; empty for cells without a forget gate.
    """

    lags: np.ndarray
    predictions: int
    relative: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ln_norm_at_lag_0: float | None
    layers: tuple[LayerNorms, ...]
    influence_lag: dict[str, int | None]
    power_law: Line | None
    exponential: Line | None
    units: tuple[UnitGroups, ...]

    @property
    def last(self) -> int:
        """Return the longest lag."""
        return int(self.lags[-1])


def ask(reading: Reading) -> Influence:
    """Trace the gradient of single predictions back through time.

    Args:
        reading: of some texts.

    Returns:
        Norms by lag, over all predictions.
    """
    problem = predictions(reading)
    step, params = reading.reader.step, reading.reader.params
    _, adjoints = jax.jit(lambda: diagnostics.adjoints(step, params, *problem))()
    by_layer = norms_by_lag(adjoints)
    norms = whole(by_layer)
    nonzero = norms[0] > 0  # predictions made with certainty have no gradient
    relative = norms[:, nonzero] / norms[0, nonzero]
    ln_relative = mean_ln(relative)
    curve, lags = np.exp(ln_relative), np.arange(len(ln_relative))
    low, high = np.quantile(relative, [0.1, 0.9], axis=1) if nonzero.any() else (curve, curve)
    units = diagnostics.norms_by_lag(adjoints, per="unit")
    return Influence(
        lags=lags,
        predictions=int(nonzero.sum()),
        relative=curve,
        low=low,
        high=high,
        ln_norm_at_lag_0=float(mean_ln(norms[:1, nonzero])[0]) if nonzero.any() else None,
        layers=tuple(
            LayerNorms(*(np.exp(mean_ln(norm[:, nonzero])) for norm in layer)) for layer in by_layer
        ),
        influence_lag={
            name: _reached(diagnostics.influence_lag(jnp.asarray(curve), fraction), lags[-1])
            for name, fraction in FRACTIONS.items()
        },
        power_law=line(np.log(lags[1:]), ln_relative[1:]),
        exponential=line(lags[1:], ln_relative[1:]),
        units=tuple(
            _unit_groups(wide(layer.c)[:, nonzero] / norms[0, nonzero, None], gates.f)
            for layer, gates in zip(units, reading.gates or (), strict=bool(reading.gates))
        ),
    )


def _unit_groups(magnitudes: np.ndarray, forget: Array) -> UnitGroups:
    # Relative magnitudes give every prediction the same weight, not just the surprising ones.
    taus = np.asarray(diagnostics.timescales(forget))
    order = np.argsort(taus, kind="stable")
    groups = np.array_split(order, min(UNIT_GROUPS, len(order)))
    squares = (magnitudes**2).mean(1)
    return UnitGroups(
        np.array([np.median(taus[group]) for group in groups]),
        np.stack([np.sqrt(squares[:, group].mean(1)) for group in groups], axis=1),
    )


def _reached(lag: Array, last: int) -> int | None:
    return int(lag) if lag <= last else None


def figures(answer: Influence) -> dict[str, object]:
    """Return the entry in diagnosis.json, where a missing line has neither slope nor R²."""
    unknown = {"slope": None, "r2": None}
    lines = {"power_law": answer.power_law or unknown, "exponential": answer.exponential or unknown}
    return {**vars(answer), **lines}


# --- in words ------------------------------------------------------------------------------------


def say(answer: Influence) -> str:
    """Describe how far the influence reaches and how it decays."""
    e, per_cent = (since(answer.influence_lag[name], answer.last) for name in FRACTIONS)
    text = (
        f"The influence of a state stays below 1/e of its value at lag 0 {e}, and below 1% "
        f"{per_cent}. At lag {answer.last}, {percent(answer.relative[-1])} of it is left."
    )
    power, exponential = answer.power_law, answer.exponential
    if power is None or exponential is None:
        return text
    r2 = f"R² = {power.r2:.3f} for the power law and {exponential.r2:.3f} for the exponential"
    if power.r2 > exponential.r2:
        return f"{text} It decays like a power law, roughly lag^{signed(power.slope)} ({r2})."
    rate = signed(exponential.slope)
    return f"{text} It decays exponentially, at {rate} nats per step ({r2})."


def summarize(answer: Influence) -> Lines:
    """Return the reach of the influence and both laws of its decay."""
    e, per_cent = (since(answer.influence_lag[name], answer.last) for name in FRACTIONS)
    power, exponential = answer.power_law, answer.exponential
    decay = "unknown"
    if power is not None and exponential is not None:
        decay = (
            f"lag^{signed(power.slope)} (R² {power.r2:.3f}), or "
            f"{signed(exponential.slope)} nats per step (R² {exponential.r2:.3f})"
        )
    return [("influence", f"below 1/e {e}, below 1% {per_cent}"), ("decay", decay)]


# --- in pictures ---------------------------------------------------------------------------------


def draw(answer: Influence, answers: Answers) -> Figure:
    """Draw the influence by lag, and the adjoint norms of each layer."""
    from lstm_jax.plots import adjoint_norms, influence, new_figure

    figure = new_figure(2)
    state = "whole state s = (h, c)" if answer.units else "whole state"
    influence(answer.relative, band=(answer.low, answer.high), label=state, axes=figure.axes[0])
    adjoint_norms(StackState(answer.layers), axes=figure.axes[1])
    return figure


def draw_units(answer: Influence, answers: Answers) -> Figure:
    """Draw the adjoint of every group of units, with one panel per layer."""
    from lstm_jax.plots import new_figure, unit_adjoints

    figure = new_figure(len(answer.units))
    for number, (layer, axes) in enumerate(zip(answer.units, list(figure.axes), strict=True)):
        unit_adjoints(
            layer.rms,
            timescales=layer.timescale,
            quantity="|∂L/∂c| / ‖∂L/∂s‖ at lag 0",
            title=f"Layer {number + 1}: adjoint of the cells",
            axes=axes,
        )
    return figure


QUESTION = Question(
    name="adjoints",
    ask=ask,
    figures=figures,
    doing="how far back does the loss reach?",
    title="How far back does the loss reach?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="adjoints",
            alt="Influence of past states on the loss, and adjoint norms of each layer, by lag",
            caption="""\
Left: ‖∂<i>L</i>/∂<i>s</i>‖ of the whole state by lag, relative to lag 0; geometric mean over
{answer.predictions} predictions, both axes logarithmic. Right: absolute norms of the hidden and
the cell state of each layer. {words.reads}""",
            draw=draw,
        ),
        Picture(
            name="units",
            alt="Adjoint of the cell of each group of units, by lag",
            caption="""\
|∂<i>L</i>/∂<i>c</i>| of the cells, relative to the whole state at lag 0: root mean square over
the predictions and over groups of units with similar timescales (τ, question {number[gates]}). If
the slow units are the memory, the upper rows stay dark toward the right.""",
            draw=draw_units,
            there=lambda answer: bool(answer.units),
        ),
    ),
    meaning="""\
The adjoint of a past state is how much the loss of one {words.judged} would change if that state
were nudged. Where it vanishes, neither learning nor prediction can reach. A straight line in the
left picture is a power law, which has no scale at which memory ends; many exponentials with
different rates can add up to one. A single exponential would bend down ever more steeply.""",
    how="""\
{words.formula}, {words.spread}. Zeros are added to every state, and one reverse pass computes the
gradient with respect to all of them. The window starts from the state to which the {words.row} has
led.""",
    literature="Hochreiter 1991; Bengio, Simard &amp; Frasconi 1994; Pascanu, Mikolov &amp; "
    "Bengio 2013.",
)
