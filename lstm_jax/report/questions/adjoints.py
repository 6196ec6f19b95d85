"""How far back does the loss feel? dL/ds at every lag before single predictions."""

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
    """‖dL/dh‖ and ‖dL/dc‖ of one layer, geometric means over the predictions, (lags + 1,).

    c is None of cells that have none.
    """

    h: np.ndarray
    c: np.ndarray | None = None


class UnitGroups(NamedTuple):
    """|dL/dc| of groups of units of like timescales, relative to the whole state at lag 0.

    Attributes:
        timescale: the median τ of each group, (G,), ascending.
        rms: root mean squares over predictions and the group, (lags + 1, G).
    """

    timescale: np.ndarray
    rms: np.ndarray


@dataclass(frozen=True)
class Influence:
    """How much a past state matters to the loss of one prediction.

    Attributes:
        lags: 0 to the longest, (lags + 1,).
        predictions: how many have a gradient at all; one foreseen with certainty has none.
        relative: ‖dL/ds‖ of the whole state, relative to lag 0, geometric mean, (lags + 1,).
        low, high: of the predictions, the first and the last decile, (lags + 1,).
        ln_norm_at_lag_0: ln ‖dL/ds‖ there; None without predictions.
        layers: norms of each layer, bottom first.
        influence_lag: the lag from which on `relative` stays below a fraction; None if it does not.
        power_law: of ln `relative` against ln lag; None where it has no line.
        exponential: of ln `relative` against the lag; likewise.
        units: of each layer; none of cells without a forget gate.
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
        """The longest lag."""
        return int(self.lags[-1])


def ask(reading: Reading) -> Influence:
    """Follow the gradient of single predictions back, the loss being that of the prediction alone.

    Args:
        reading: of some texts.

    Returns:
        Norms by lag, over all predictions.
    """
    problem = predictions(reading)
    step, params = reading.reader.step, reading.reader.params
    _, found = jax.jit(lambda: diagnostics.adjoints(step, params, *problem))()
    by_layer = norms_by_lag(found)
    norms = whole(by_layer)
    felt = norms[0] > 0  # what was foreseen with certainty has no gradient
    relative = norms[:, felt] / norms[0, felt]
    ln_relative = mean_ln(relative)
    curve, lags = np.exp(ln_relative), np.arange(len(ln_relative))
    low, high = np.quantile(relative, [0.1, 0.9], axis=1) if felt.any() else (curve, curve)
    units = diagnostics.norms_by_lag(found, per="unit")
    return Influence(
        lags=lags,
        predictions=int(felt.sum()),
        relative=curve,
        low=low,
        high=high,
        ln_norm_at_lag_0=float(mean_ln(norms[:1, felt])[0]) if felt.any() else None,
        layers=tuple(
            LayerNorms(*(np.exp(mean_ln(norm[:, felt])) for norm in layer)) for layer in by_layer
        ),
        influence_lag={
            name: _reached(diagnostics.influence_lag(jnp.asarray(curve), fraction), lags[-1])
            for name, fraction in FRACTIONS.items()
        },
        power_law=line(np.log(lags[1:]), ln_relative[1:]),
        exponential=line(lags[1:], ln_relative[1:]),
        units=tuple(
            _unit_groups(wide(layer.c)[:, felt] / norms[0, felt, None], gates.f)
            for layer, gates in zip(units, reading.gates or (), strict=bool(reading.gates))
        ),
    )


def _unit_groups(magnitudes: np.ndarray, forget: Array) -> UnitGroups:
    # The magnitudes are relative, so that every prediction counts, not the unforeseen ones alone.
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


def figures(found: Influence) -> dict[str, object]:
    """Give what stands in diagnosis.json: a line that does not exist has no slope and no R²."""
    unknown = {"slope": None, "r2": None}
    lines = {"power_law": found.power_law or unknown, "exponential": found.exponential or unknown}
    return {**vars(found), **lines}


# --- in words ------------------------------------------------------------------------------------


def say(found: Influence) -> str:
    """Say how far the influence reaches, and by which law it falls."""
    e, per_cent = (since(found.influence_lag[name], found.last) for name in FRACTIONS)
    text = (
        f"The influence of a state stays below 1/e of that at lag 0 {e}, and below 1 % {per_cent}. "
        f"At lag {found.last}, {percent(found.relative[-1])} of it is left."
    )
    power, exponential = found.power_law, found.exponential
    if power is None or exponential is None:
        return text
    r2 = f"R² = {power.r2:.3f} for the power law and {exponential.r2:.3f} for the exponential"
    if power.r2 > exponential.r2:
        return f"{text} It falls as a power law would, about as lag^{signed(power.slope)} ({r2})."
    rate = signed(exponential.slope)
    return f"{text} It falls as an exponential would, by {rate} nats a step ({r2})."


def summarize(found: Influence) -> Lines:
    """Give the reach of the influence, and both laws."""
    e, per_cent = (since(found.influence_lag[name], found.last) for name in FRACTIONS)
    power, exponential = found.power_law, found.exponential
    decay = "cannot be told"
    if power is not None and exponential is not None:
        decay = (
            f"lag^{signed(power.slope)} (R² {power.r2:.3f}), or "
            f"{signed(exponential.slope)} nats a step (R² {exponential.r2:.3f})"
        )
    return [("influence", f"below 1/e {e}, below 1 % {per_cent}"), ("decay", decay)]


# --- in pictures ---------------------------------------------------------------------------------


def draw(found: Influence, answers: Answers) -> Figure:
    """Draw the influence by lag, and the adjoint norms of each layer."""
    from lstm_jax.plots import adjoint_norms, influence, new_figure

    figure = new_figure(2)
    state = "whole state s = (h, c)" if found.units else "whole state"
    influence(found.relative, band=(found.low, found.high), label=state, axes=figure.axes[0])
    adjoint_norms(StackState(found.layers), axes=figure.axes[1])
    return figure


def draw_units(found: Influence, answers: Answers) -> Figure:
    """Draw the adjoint of every group of units, one panel for each layer."""
    from lstm_jax.plots import new_figure, unit_adjoints

    figure = new_figure(len(found.units))
    for number, (layer, axes) in enumerate(zip(found.units, list(figure.axes), strict=True)):
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
    doing="how far back does the loss feel?",
    title="How far back does the loss feel?",
    say=say,
    summarize=summarize,
    pictures=(
        Picture(
            name="adjoints",
            alt="Influence of past states on the loss, and adjoint norms of each layer, against "
            "the lag",
            caption="""\
Left: ‖∂<i>L</i>/∂<i>s</i>‖ of the whole state against the lag, relative to lag 0; geometric mean
over {answer.predictions} predictions, both axes logarithmic. Right: the same, not relative, for
the hidden and the cell state of each layer. {words.reads}""",
            draw=draw,
        ),
        Picture(
            name="units",
            alt="Adjoint of the cell of each group of units, against the lag",
            caption="""\
|∂<i>L</i>/∂<i>c</i>| of the cells, relative to the whole state at lag 0: root mean square over
the predictions and over groups of units that keep for about as long (τ, question
{number[gates]}). If the slow units are the memory, the upper rows stay dark to the right.""",
            draw=draw_units,
            there=lambda found: bool(found.units),
        ),
    ),
    meaning="""\
The adjoint of a past state is how much the loss of one {words.judged} would change if that state
were nudged. Where it vanishes, neither learning nor prediction can reach. A straight line in the
left picture is a power law, which has no scale at which memory ends, as many exponentials of
different rates can make together; a single exponential would bend down ever faster.""",
    how="""\
{words.formula}, {words.spread}; zeros added to every state, one reverse pass for the gradient with
respect to all of them. The state before the window is the one that the {words.row} had led to.""",
    literature="Hochreiter 1991; Bengio, Simard &amp; Frasconi 1994; Pascanu, Mikolov &amp; "
    "Bengio 2013.",
)
