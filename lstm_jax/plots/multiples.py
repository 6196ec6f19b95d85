"""Small pictures of several series and their forecasts, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lstm_jax.plots.drawing import default_style, new_figure
from lstm_jax.plots.forecast import forecast_line

SHOWN = 6
"""Series that are drawn, at most."""


class Piece(NamedTuple):
    """One series: `times` (N,) and `truth` (N,), NaN where nothing is known; `forecasts` (M, Q),
    of the last M times, and which of them is the point forecast."""

    title: str
    times: np.ndarray
    truth: np.ndarray
    forecasts: np.ndarray
    point: int


def draw(pieces: Sequence[Piece], *, y: str = "") -> Figure:
    """Draw series and their forecasts, the first `SHOWN` of them.

    Args:
        pieces: of at least one series.
        y: the label of the values.

    Returns:
        The figure.
    """
    pieces = pieces[:SHOWN]
    columns = min(2, len(pieces))
    rows = -(-len(pieces) // columns)
    with default_style():
        figure = new_figure(columns, rows, size=(4.6 * columns, 2.7 * rows))
        for axes, piece in zip(figure.axes, pieces, strict=False):
            whole = np.full((len(piece.times), piece.forecasts.shape[1]), np.nan)
            whole[len(whole) - len(piece.forecasts) :] = piece.forecasts
            band = (whole[:, 0], whole[:, -1]) if whole.shape[1] > 1 else None
            forecast_line(
                piece.times, piece.truth, {"LSTM": whole[:, piece.point]},
                band=band, title=piece.title, y=y, axes=axes,
            )  # fmt: skip
        for axes in figure.axes[len(pieces) :]:
            axes.set_visible(False)
    return figure
