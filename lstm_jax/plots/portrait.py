"""A portrait of fixed points among the trajectories of a network, in three dimensions."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.plots.drawing import COLORS, FAINT, GRID, INK, SOFT, Picture

SIZE = (6.2, 5.6)  # inches
KINDS = (("o", COLORS[0], 46), ("X", COLORS[1], 40), ("^", COLORS[5], 40), ("s", COLORS[4], 34))
"""Marker, color and size of points with 0, 1, 2, and 3 or more unstable directions."""


def fixed_point_portrait(points: ArrayLike, unstable: ArrayLike, trajectories: ArrayLike) -> Figure:
    """Draw fixed points and trajectories in the first three principal components of the states.

    Args:
        points: fixed points as vectors, (N, n), such as
            `jax.vmap(diagnostics.linear.flat)(points.states)`.
        unstable: the number of unstable directions of each, (N,): 0 at a stable point.
        trajectories: states as vectors, (B, T, n), from which the components are computed; n is at
            least 3.

    Returns:
        The figure.
    """
    visited = np.asarray(trajectories, np.float64)
    center, basis, shares = _components(visited.reshape(-1, visited.shape[-1]))
    figure = Picture(SIZE, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    with matplotlib.rc_context({"grid.color": GRID}):  # axes in space read it once, here
        axes: Any = figure.add_subplot(projection="3d", elev=22, azim=-52)
    for number, path in enumerate((visited - center) @ basis):
        label = "trajectories" if number == 0 else None
        axes.plot(*path.T, color=FAINT, lw=0.6, alpha=0.5, label=label)
    places = (np.asarray(points, np.float64) - center) @ basis
    directions = np.asarray(unstable)
    for count in np.unique(directions):
        chosen = directions == count
        marker, color, size = KINDS[min(int(count), len(KINDS) - 1)]
        axes.scatter(
            *places[chosen].T, marker=marker, color=color, s=size, depthshade=False,
            edgecolors="white", linewidths=0.5, label=f"{_kind(int(count))} ({chosen.sum()})",
        )  # fmt: skip
    axes.set_title("Fixed points", loc="left", size=10, weight="bold", color=INK)
    for set_label, number in ((axes.set_xlabel, 0), (axes.set_ylabel, 1), (axes.set_zlabel, 2)):
        label = f"PC {number + 1} ({shares[number]:.0%} of the variance)"
        set_label(label, size=8, color=INK)
    axes.tick_params(labelsize=7, labelcolor=SOFT, color=FAINT)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color("white")
    axes.legend(loc="upper right", fontsize=8, frameon=False)
    return figure


def _components(states: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of states (N, n), three principal directions (n, 3), and their shares."""
    center = states.mean(0)
    values, directions = np.linalg.eigh(np.cov(states - center, rowvar=False))
    shares = values[::-1] / max(values.sum(), np.finfo(np.float64).tiny)
    return center, directions[:, ::-1][:, :3], shares[:3]


def _kind(count: int) -> str:
    if count == 0:
        return "stable"
    return f"saddle, {count} unstable direction{'s' if count > 1 else ''}"
