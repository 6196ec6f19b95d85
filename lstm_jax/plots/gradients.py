"""Pictures of adjoints and of gradient norms by lag."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.animation.colors import color_map
from lstm_jax.diagnostics import Roads, influence_lag
from lstm_jax.diagnostics.adjoints import FRACTIONS
from lstm_jax.plots.drawing import (
    COLORS,
    FAINT,
    INK,
    LAG,
    SOFT,
    begin,
    cell_colors,
    decades,
    end,
    figure_of,
    log_lags,
    mark_floor,
    positive,
)
from lstm_jax.trees import Tree


def influence(
    norms: ArrayLike,
    *,
    band: tuple[ArrayLike, ArrayLike] | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
    label: str = "whole state s = (h, c)",
    axes: Axes | None = None,
) -> Figure:
    """Draw the influence of past states on the loss by lag.

    A straight line is a power law; an exponential bends down.

    Args:
        norms: ‖dL/ds‖ by lag, (T + 1,), such as from `norms_by_lag`; drawn relative to lag 0.
        band: a lower and an upper curve around it, each (T + 1,), already relative to lag 0.
        fractions: names and fractions in (0, 1), marked where the influence stays below them.
        label: the state of these norms, for the legend.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    norms = np.asarray(norms, np.float64)
    axes = begin(axes, "Influence of past states", LAG, "‖∂L/∂s‖ relative to lag 0")
    lags = np.arange(len(norms))
    if band is not None:
        low, high = (positive(edge)[1:] for edge in band)
        deciles = "10% to 90% of the predictions"
        axes.fill_between(lags[1:], low, high, color=COLORS[0], alpha=0.15, lw=0, label=deciles)
    curve = positive(norms / norms[0])
    axes.plot(lags[1:], curve[1:], color=COLORS[0], lw=2, label=label)
    axes.set_yscale("log")
    log_lags(axes, len(norms) - 1)
    for (key, fraction), marker in zip(fractions.items(), "os^D" * len(fractions), strict=False):
        name = key.replace(" %", "%")
        axes.axhline(fraction, color=SOFT, lw=0.8, ls=":")
        place = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "bottom"}
        axes.text(1, fraction, name, size=8, color=SOFT, **place)
        lag = int(influence_lag(norms, fraction))
        reached = lag < len(norms)
        text = f"below {name} from lag {lag} on" if reached else f"{name} not reached"
        point = ([lag], [curve[lag]]) if reached else ([], [])
        axes.plot(*point, marker, ms=7, mec=INK, mfc="white", mew=1.4, ls="none", label=text)
    return end(axes, loc="lower left")


def adjoint_norms(norms: Tree, *, axes: Axes | None = None) -> Figure:
    """Draw ‖dL/dh‖ and ‖dL/dc‖ of each layer by lag.

    A norm of zero, such as that of a c that the loss does not read at lag 0, is left out.

    Args:
        norms: the result of `norms_by_lag`, a pytree like the state with leaves (T + 1,).
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Adjoints of each layer", LAG, "norm of ∂L/∂h or ∂L/∂c")
    leaves = jax.tree_util.tree_leaves_with_path(norms)
    longest = max(len(leaf) for _, leaf in leaves) - 1
    for order, (path, leaf) in enumerate(leaves):
        keys = [jax.tree_util.keystr((key,), simple=True) for key in path]
        layer = int(keys[0]) if keys and keys[0].isdigit() else None
        name = keys[-1] if keys else "h"
        label = name if layer is None else f"layer {layer + 1}, {name}"
        color = COLORS[(order if layer is None else layer) % len(COLORS)]
        style = "--" if name == "c" else "-"
        axes.plot(np.arange(len(leaf))[1:], positive(leaf)[1:], style, color=color, label=label)
    mark_floor(axes, *(leaf for _, leaf in leaves))
    axes.set_yscale("log")
    log_lags(axes, longest)
    return end(axes, loc="lower left")


def unit_adjoints(
    magnitudes: ArrayLike,
    *,
    timescales: ArrayLike | None = None,
    decades: float = 3,
    quantity: str = "|∂L/∂c|",
    title: str = "Adjoint of each unit's cell",
    axes: Axes | None = None,
) -> Figure:
    """Draw |dL/dc| of every unit, or group of units, by lag as an image.

    Args:
        magnitudes: (T + 1, N); the N units are the rows of the image, the first at the bottom.
        timescales: of each unit, (N,), ascending, as labels of the rows.
        decades: range of the colors below the largest value; smaller values have the last color.
        quantity: the name of the magnitudes.
        title: of the picture.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    values = positive(magnitudes) * np.ones(np.shape(magnitudes))
    axes = begin(axes, title, LAG, "units")
    with np.errstate(invalid="ignore"):
        logs = np.log10(values)
    top = np.nanmax(logs)
    steps, rows = values.shape
    image = axes.imshow(
        np.nan_to_num(logs, nan=-np.inf).T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, steps - 0.5, -0.5, rows - 0.5),
        cmap=ListedColormap(color_map("gate", "light") / 255),
        vmin=top - decades,
        vmax=top,
    )
    axes.grid(visible=False)
    if timescales is not None:
        ticks = np.unique(np.rint(np.linspace(0, rows - 1, min(rows, 7))).astype(int))
        axes.set_yticks(ticks, [f"{np.asarray(timescales)[k]:.3g}" for k in ticks])
        axes.set_ylabel("units, by timescale τ (steps)")
    bar = axes.figure.colorbar(image, ax=axes, extend="min", pad=0.02)
    bar.set_label(f"log₁₀ {quantity}", color=INK, size=9)
    bar.ax.tick_params(labelsize=8, labelcolor=SOFT)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure_of(axes)


def roads(norms: Roads[np.ndarray], *, axes: Axes | None = None) -> Figure:
    """Draw the whole gradient at past states, along the cell alone, and through h alone.

    A straight line is an exponential. The two paths do not add up to the whole.

    Args:
        norms: `Roads` of the norms by lag, each (T + 1,).
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Which path does the gradient take?", LAG, "‖∂L/∂s‖")
    names = ("all paths", "along the cell alone (h detached)", "through h alone (c detached)")
    styles = (("-", INK), ("--", COLORS[0]), ("-.", COLORS[1]))
    for name, (style, color), curve in zip(names, styles, norms, strict=True):
        axes.plot(np.arange(len(curve)), positive(curve), style, color=color, lw=1.8, label=name)
    mark_floor(axes, *map(np.asarray, norms))
    axes.set_yscale("log")
    return end(axes, loc="lower left")


def gradient_decay(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike | None]],
    *,
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw ‖∂s_T/∂s_{T-lag}‖ of several cells, each with the upper bound from its step norms.

    Args:
        curves: name -> `(lags, log_norm, log_bound)`, each (L,), natural logarithms; the bound
            may be None.
        title: of the picture.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(
        axes, title or "Gradients through time", "lag (steps)", "log₁₀ ‖∂s(T)/∂s(T − lag)‖"
    )
    axes.axhline(0, color=FAINT, lw=0.8)
    bounded = False
    drawn = zip(cell_colors(curves), curves.items(), strict=True)
    for color, (name, (lags, log_norm, log_bound)) in drawn:
        axes.plot(lags, decades(log_norm), color=color, lw=2, label=name)
        if log_bound is not None:
            bounded = True
            axes.plot(lags, decades(log_bound), color=color, lw=1, ls="--")
    if bounded:
        axes.plot([], [], color=SOFT, lw=1, ls="--", label="upper bound: product of step norms")
    return end(axes)
