"""Pictures of gates: histograms, saturation and timescales."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.diagnostics import GateHistogram, Saturation
from lstm_jax.plots.drawing import COLORS, FAINT, begin, end


def gate_histograms(
    histograms: Mapping[str, GateHistogram], *, title: str = "Activations", axes: Axes | None = None
) -> Figure:
    """Draw histograms of activations, with one outline for each name.

    Args:
        histograms: name -> result of `lstm_jax.diagnostics.histogram`, with bins of equal width.
        title: such as the gate's name.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    edges = np.asarray(next(iter(histograms.values())).edges)
    width = edges[1] - edges[0]
    axes = begin(axes, title, "activation", f"% of activations (bins of {width:.2g})")
    for order, (name, histogram) in enumerate(histograms.items()):
        style = {"color": COLORS[order % len(COLORS)], "lw": 1.5, "label": name}
        dashes = ("-", "--", "-.", ":")[order % 4]
        axes.stairs(100 * np.asarray(histogram.share), histogram.edges, ls=dashes, **style)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xticks(np.linspace(edges[0], edges[-1], 5))
    axes.set_ylim(bottom=0)
    return end(axes)


def saturation(
    saturations: Mapping[str, Saturation], *, title: str = "Saturation", axes: Axes | None = None
) -> Figure:
    """Draw how often the gate of each unit is nearly closed and nearly open (Karpathy et al. 2015).

    Units on the diagonal are always one or the other; units near the origin never are.

    Args:
        saturations: name -> result of `lstm_jax.diagnostics.saturation`.
        title: such as the gate's name.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, title, "share of steps below 0.1", "share of steps above 0.9")
    axes.plot([0, 1], [1, 0], color=FAINT, lw=0.8)
    for order, (name, units) in enumerate(saturations.items()):
        axes.scatter(
            np.asarray(units.left),
            np.asarray(units.right),
            s=8,
            alpha=0.35,
            linewidths=0,
            marker="o^s"[order % 3],
            color=COLORS[order % len(COLORS)],
            label=name,
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    return end(axes, loc="upper right")


def timescales(taus: Mapping[str, ArrayLike], *, axes: Axes | None = None) -> Figure:
    """Draw the distribution of the units' timescales τ = -1 / mean ln f.

    Args:
        taus: name -> (H,), in steps; infinite ones are counted in the legend.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Timescales of the units", "τ (steps)", "units")
    arrays = {name: np.asarray(tau, np.float64) for name, tau in taus.items()}
    known = np.concatenate([tau[np.isfinite(tau) & (tau > 0)] for tau in arrays.values()])
    low, high = (known.min(), known.max()) if known.size else (1.0, 10.0)
    bins = np.geomspace(low * 0.95, high * 1.05, 33)
    for order, (name, tau) in enumerate(arrays.items()):
        infinite = int(np.isinf(tau).sum())
        label = f"{name}, median {np.median(tau):.3g}" + (
            f", {infinite} infinite" if infinite else ""
        )
        counts, _ = np.histogram(tau[np.isfinite(tau)], bins)
        style = {"color": COLORS[order % len(COLORS)], "lw": 1.5, "label": label}
        axes.stairs(counts, bins, ls=("-", "--", "-.", ":")[order % 4], **style)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    return end(axes)
