"""Figures, colors and axes that all pictures share."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike

try:
    import matplotlib
    import matplotlib.style
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
except ImportError as error:
    raise ImportError(f'plots need matplotlib: pip install "lstm_jax[viz]" ({error})') from None


SIZE = (5.2, 3.7)  # inches, of one panel
SCREEN = 96  # dots per inch, in a notebook
INK = "#211f1b"
SOFT = "#6b665c"
FAINT = "#b5afa3"
GRID = "#e9e5dc"
# Blue and orange come first: they differ in hue and in lightness for every kind of color blindness.
COLORS = ("#1f5fa8", "#d5762c", "#211f1b", "#74b3dd", "#9e2b2b", "#5aa582")
CELLS = {
    "lstm": (COLORS[0], COLORS[3]),
    "gru": (INK, "#8a857a"),
    "rnn": (COLORS[1], "#efb98d"),
    "mgu": (COLORS[5], "#a9d3bd"),
}
"""Colors of each kind of cell, the same in every picture that compares cells."""
OTHERS = (COLORS[4], "#d99a9a")
BOUND = "#d5762c"
LAG = "lag (steps before the prediction)"
Place = Literal["best", "upper left", "upper right", "lower left", "lower right", "center right"]
NATS_TO_DECADES = float(np.log10(np.e))


TEXT_AS_TEXT: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}
"""Settings that keep text as text, not as outlines, for journals and for searching."""


class Picture(Figure):
    """Keep text as text in PDF and SVG, regardless of the user's settings."""

    def savefig(self, *args: Any, **options: Any) -> None:
        """Write the picture, with the arguments of matplotlib's method."""
        with matplotlib.rc_context(TEXT_AS_TEXT):
            super().savefig(*args, **options)

    def _repr_png_(self) -> bytes:
        """Return the picture for a notebook, which asks only pyplot's figures by itself."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=SCREEN)
        return buffer.getvalue()


def new_figure(columns: int = 1, rows: int = 1, *, size: tuple[float, float] = SIZE) -> Figure:
    """Create a figure with empty panels, `figure.axes`, for functions that take `axes`.

    Args:
        columns, rows: numbers of columns and rows of panels.
        size: width and height of one panel, in inches.

    Returns:
        The figure, without a window.
    """
    figure = Picture((columns * size[0], rows * size[1]), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns, squeeze=False)
    return figure


def default_style() -> AbstractContextManager[None]:
    """Ignore the user's matplotlib settings.

    Returns:
        A context in which matplotlib's defaults apply.
    """
    return matplotlib.style.context(["default", {"svg.hashsalt": "lstm_jax"}])


def begin(axes: Axes | None, title: str, x: str, y: str) -> Axes:
    """Set the title, labels and grid of axes, or of the axes of a new figure if None."""
    if axes is None:
        axes = new_figure().axes[0]
    axes.set_title(title, loc="left", size=10, weight="bold", color=INK)
    axes.set_xlabel(x, size=9, color=INK)
    axes.set_ylabel(y, size=9, color=INK)
    axes.tick_params(labelsize=8, labelcolor=SOFT, color=FAINT, which="both")
    axes.grid(color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)
    return axes


def end(axes: Axes, *, loc: Place = "best", reverse: bool = False) -> Figure:
    """Return the figure, with a legend if anything has a label."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(
            loc=loc, fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", reverse=reverse
        )
    return figure_of(axes)


def figure_of(axes: Axes) -> Figure:
    """Return the figure of these axes."""
    return cast(Figure, axes.figure)  # may be a subfigure, which has the same methods


def log_lags(axes: Axes, longest: int) -> None:
    """Scale the horizontal axis logarithmically for lags from 1, with ticks at powers of two."""
    axes.set_xscale("log", base=2)
    powers = 2 ** np.arange(int(np.log2(max(longest, 1))) + 1)
    axes.xaxis.set_major_locator(FixedLocator(powers.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(0.93, longest * 1.08)


def positive(values: ArrayLike) -> np.ndarray:
    """Replace values that are not above 0 by NaN, which a logarithmic axis leaves out."""
    values = np.asarray(values, np.float64)
    return np.where(values > 0, values, np.nan)


def mark_floor(axes: Axes, *curves: ArrayLike) -> None:
    """Mark the smallest number of float32, below which curves end, if a curve comes near it."""
    tiny = float(np.finfo(np.float32).tiny)
    known = np.concatenate([positive(curve).ravel() for curve in curves])
    if known.size and np.nanmin(np.nan_to_num(known, nan=np.inf)) < 10 * tiny:
        label = "10⁻³⁸: smallest float32, where curves end"
        axes.axhline(tiny, color=SOFT, lw=0.8, ls=":", label=label)


def cell_colors(names: Iterable[str]) -> list[str]:
    """Choose a color for each cell by its kind, a dark one first and then a light one.

    Args:
        names: such as "LSTM, chrono" or "tanh RNN".
    """
    used: dict[str, int] = {}
    colors = []
    for name in names:
        kind = next((kind for kind in CELLS if kind in name.lower()), "")
        shades = CELLS.get(kind, OTHERS)
        colors.append(shades[used.get(kind, 0) % len(shades)])
        used[kind] = used.get(kind, 0) + 1
    return colors


def decades(logs: ArrayLike) -> np.ndarray:
    """Convert natural to decimal logarithms."""
    return np.asarray(logs, np.float64) * NATS_TO_DECADES


def once(count: int, label: str) -> Sequence[str | None]:
    """Return labels for several lines, of which only the first has one."""
    return [label, *[None] * (count - 1)]
