"""Pictures of forecasts with the true values, and of their gain over persistence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.plots.drawing import COLORS, FAINT, INK, SOFT, begin, figure_of

STYLES = (
    {"color": COLORS[0], "lw": 1.4},
    {"color": COLORS[1], "lw": 1.4, "ls": "--"},
    {"color": SOFT, "lw": 0.8, "ls": ":"},
)


def forecast_line(
    times: np.ndarray,
    truth: ArrayLike | None,
    forecasts: Mapping[str, np.ndarray],
    *,
    band: tuple[ArrayLike, ArrayLike] | None = None,
    quantiles: Sequence[float] = (),
    title: str = "Forecasts",
    y: str = "",
    axes: Axes | None = None,
) -> Figure:
    """Draw true values and their forecasts over time.

    Args:
        times: (N,) datetime64 or numbers.
        truth: the true values, (N,), or None to leave them out.
        forecasts: name -> (N,), or fewer values, for the first of the times.
        band: lower and upper end of an interval, (N,) each.
        quantiles: those that the band spans, the lowest first, for the legend.
        title: of the picture.
        y: the label of the values, with their unit.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, title, "time", y)
    if band is not None:
        label = f"{100 * (quantiles[-1] - quantiles[0]):.3g}% interval" if quantiles else "interval"
        axes.fill_between(times, *band, color=COLORS[3], alpha=0.3, lw=0, label=label)
    if truth is not None:
        axes.plot(times, truth, color=INK, lw=1.1, label="truth")
    for (name, values), style in zip(forecasts.items(), STYLES, strict=False):
        axes.plot(times[: len(values)], values, label=name, **style)
    return _finish(axes, times)


def gains(
    times: np.ndarray, gained: Mapping[str, ArrayLike], *, y: str = "", axes: Axes | None = None
) -> Figure:
    """Draw how much smaller the sum of absolute errors is than that of persistence, over time.

    Args:
        times: (N,) datetime64 or numbers.
        gained: name -> (N,), sums from the first time on; a rising line beats persistence.
        y: the unit.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    unit = f" ({y})" if y else ""
    axes = begin(axes, "Gain over persistence", "time", f"sum of |errors| saved{unit}")
    axes.axhline(0, color=FAINT, lw=1)
    for (name, values), style in zip(gained.items(), STYLES, strict=False):
        axes.plot(times, values, label=name, **style)
    return _finish(axes, times)


def _finish(axes: Axes, times: np.ndarray) -> Figure:
    if times.dtype.kind == "M":
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    # The legend is above the axes, because inside it would hide parts of the lines.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=4, fontsize=8, frameon=False,
        borderaxespad=0.2,
    )  # fmt: skip
    return figure_of(axes)
