"""Small multiples: several series and their forecasts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lstm_jax.plots.drawing import default_style, new_figure
from lstm_jax.plots.forecast import forecast_line

SHOWN = 6
"""Maximum number of series in a picture."""


class Piece(NamedTuple):
    """Store a series with its forecasts.

    Attributes:
        title: of the panel.
        times: (N,).
        truth: (N,), NaN where the value is unknown.
        forecasts: (M, Q), for the last M times.
        point: index of the point forecast among the Q.
    """

    title: str
    times: np.ndarray
    truth: np.ndarray
    forecasts: np.ndarray
    point: int


def draw(pieces: Sequence[Piece], *, quantiles: Sequence[float] = (), y: str = "") -> Figure:
    """Draw the first `SHOWN` series with their forecasts.

    Args:
        pieces: at least one series.
        quantiles: those of the Q forecasts, the lowest first, for the legend.
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
                band=band, quantiles=quantiles, title=piece.title, y=y, axes=axes,
            )  # fmt: skip
        for axes in figure.axes[len(pieces) :]:
            axes.set_visible(False)
    return figure
