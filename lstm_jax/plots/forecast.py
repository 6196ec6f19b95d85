"""Forecasts beside what came, and what they gain on the forecast that nothing changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.plots.drawing import COLOURS, FAINT, INK, SOFT, begin, figure_of

STYLES = (
    {"color": COLOURS[0], "lw": 1.4},
    {"color": COLOURS[1], "lw": 1.4, "ls": "--"},
    {"color": SOFT, "lw": 0.8, "ls": ":"},
)


def forecast_line(
    times: np.ndarray,
    truth: ArrayLike | None,
    forecasts: Mapping[str, np.ndarray],
    *,
    band: tuple[ArrayLike, ArrayLike] | None = None,
    title: str = "Forecasts",
    y: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw each value at the time that it is of, and the forecasts of it.

    Args:
        times: (N,) datetime64 or numbers.
        truth: what came, (N,), or None to leave it out.
        forecasts: name -> (N,), or fewer: they then begin with the times and end before them.
        band: the lower and the upper end of an interval, (N,) each.
        title: of the picture.
        y: the label of the values, with their unit.
        axes: to draw there; a new figure has its own.

    Returns:
        The figure.
    """
    axes = begin(axes, title, "time", y)
    if band is not None:
        axes.fill_between(times, *band, color=COLOURS[3], alpha=0.3, lw=0, label="interval")
    if truth is not None:
        axes.plot(times, truth, color=INK, lw=1.1, label="truth")
    for (name, values), style in zip(forecasts.items(), STYLES, strict=False):
        axes.plot(times[: len(values)], values, label=name, **style)
    return _finish(axes, times)


def gains(
    times: np.ndarray, gained: Mapping[str, ArrayLike], *, y: str = "", axes: Axes | None = None
) -> Figure:
    """Draw by how much the absolute errors so far are smaller than persistence's, summed.

    Args:
        times: (N,) datetime64 or numbers.
        gained: name -> (N,), sums from the first time on; a line that rises is doing better.
        y: the unit.
        axes: to draw there; a new figure has its own.

    Returns:
        The figure.
    """
    unit = f" ({y})" if y else ""
    axes = begin(axes, "gain on persistence", "time", f"sum of |errors| saved{unit}")
    axes.axhline(0, color=FAINT, lw=1)
    for (name, values), style in zip(gained.items(), STYLES, strict=False):
        axes.plot(times, values, label=name, **style)
    return _finish(axes, times)


def _finish(axes: Axes, times: np.ndarray) -> Figure:
    if times.dtype.kind == "M":
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    # Above the axes: a legend inside would hide a part of the lines.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=4, fontsize=8, frameon=False,
        borderaxespad=0.2,
    )  # fmt: skip
    return figure_of(axes)
