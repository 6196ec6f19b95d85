"""What the pictures share: a figure, colours, axes."""

from __future__ import annotations

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
INK, SOFT, FAINT, GRID = "#211f1b", "#6b665c", "#b5afa3", "#e9e5dc"
# Blue and orange first: told apart by hue and by lightness in every kind of colour blindness.
COLOURS = ("#1f5fa8", "#d5762c", "#211f1b", "#74b3dd", "#9e2b2b", "#5aa582")
CELLS = {
    "lstm": (COLOURS[0], COLOURS[3]),
    "gru": (INK, "#8a857a"),
    "rnn": (COLOURS[1], "#efb98d"),
    "mgu": (COLOURS[5], "#a9d3bd"),
}
"""The colours of a kind of cell, in every picture that compares them."""
OTHERS = (COLOURS[4], "#d99a9a")
BOUND = "#d5762c"
LAG = "lag (steps before the prediction)"
Place = Literal["best", "upper left", "upper right", "lower left", "lower right", "center right"]
NATS_TO_DECADES = float(np.log10(np.e))


TEXT_AS_TEXT: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}
"""What a journal and a search want of a picture: fonts that stay fonts, and no outlines."""


class Picture(Figure):
    """A figure whose text stays text in PDF and SVG, whatever the user's settings."""

    def savefig(self, *args: Any, **options: Any) -> None:
        """Write the picture; as matplotlib's own."""
        with matplotlib.rc_context(TEXT_AS_TEXT):
            super().savefig(*args, **options)


def new_figure(columns: int = 1, rows: int = 1, *, size: tuple[float, float] = SIZE) -> Figure:
    """Make a figure of empty panels, `figure.axes`, for functions that are given `axes`.

    Args:
        columns, rows: of panels.
        size: width and height of one panel, in inches.

    Returns:
        The figure, which no window shows.
    """
    figure = Picture((columns * size[0], rows * size[1]), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns, squeeze=False)
    return figure


def default_style() -> AbstractContextManager[None]:
    """Keep a user's own matplotlib settings out.

    Returns:
        A context in which they do not hold.
    """
    return matplotlib.style.context(["default", {"svg.hashsalt": "lstm_jax"}])


def begin(axes: Axes | None, title: str, x: str, y: str) -> Axes:
    """Give axes a title, labels and a grid: those given, or those of a new figure."""
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
    """Give the figure, with a legend where there is something to tell apart."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(
            loc=loc, fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", reverse=reverse
        )
    return figure_of(axes)


def figure_of(axes: Axes) -> Figure:
    """Give the figure that has these axes."""
    return cast(Figure, axes.figure)  # or a part of one, which does all that a figure does


def log_lags(axes: Axes, longest: int) -> None:
    """Scale an axis for lags from 1 on, by powers of two: 1, 2, 4, ..."""
    axes.set_xscale("log", base=2)
    powers = 2 ** np.arange(int(np.log2(max(longest, 1))) + 1)
    axes.xaxis.set_major_locator(FixedLocator(powers.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(0.93, longest * 1.08)


def positive(values: ArrayLike) -> np.ndarray:
    """Make gaps of what is not above 0: its logarithm has no place on an axis."""
    values = np.asarray(values, np.float64)
    return np.where(values > 0, values, np.nan)


def mark_floor(axes: Axes, *curves: ArrayLike) -> None:
    """Say where curves end because float32 has no smaller numbers, if one comes so far down."""
    tiny = float(np.finfo(np.float32).tiny)
    known = np.concatenate([positive(curve).ravel() for curve in curves])
    if known.size and np.nanmin(np.nan_to_num(known, nan=np.inf)) < 10 * tiny:
        label = "10⁻³⁸: float32 ends here, and so do the curves"
        axes.axhline(tiny, color=SOFT, lw=0.8, ls=":", label=label)


def cell_colours(names: Iterable[str]) -> list[str]:
    """Give each cell the colour of its kind: dark, and light for others of the same kind.

    Args:
        names: such as "LSTM, chrono" or "tanh RNN".
    """
    given: dict[str, int] = {}
    colours = []
    for name in names:
        kind = next((kind for kind in CELLS if kind in name.lower()), "")
        shades = CELLS.get(kind, OTHERS)
        colours.append(shades[given.get(kind, 0) % len(shades)])
        given[kind] = given.get(kind, 0) + 1
    return colours


def decades(logs: ArrayLike) -> np.ndarray:
    """Give decimal logarithms of natural ones."""
    return np.asarray(logs, np.float64) * NATS_TO_DECADES


def once(count: int, label: str) -> Sequence[str | None]:
    """Give a label for the first of several lines."""
    return [label, *[None] * (count - 1)]
