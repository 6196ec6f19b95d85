"""A forecaster as `fit.series` and `load` give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_jax.train.data.tables import frame_like
from lstm_jax.train.runs import Run
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.forecast import (
    Coming,
    columns_of,
    come,
    panel_for,
    picture_of,
)

if TYPE_CHECKING:
    from lstm_jax.plots.drawing import Figure


@dataclass(frozen=True, repr=False)
class SeriesRun(Run[SeriesConfig]):
    """A run that forecasts."""

    def forecast(self, steps: int = 0, frame: Any = None) -> Any:
        """Forecast what comes after the last row of each series.

        Args:
            steps: to forecast; the horizon that the model learned if 0. Beyond it the model reads
                its own forecasts.
            frame: a frame, or the path of a file, to go on from; what it learned from if None.
                Rows at the end without a target say what is known of the future.

        Returns:
            A frame of the library of the one that was given, else a dict of lists: the columns
            `by` and the time, the target, and its other quantiles, named such as "units_0.9".

        Raises:
            DataError: a table that does not do; it says where.
        """
        coming = self._come(steps, frame)
        return frame_like(columns_of(self.config, coming), coming.panel.like)

    def plot(self, steps: int = 0, frame: Any = None) -> Figure:
        """Draw the last rows of some series, and what is forecast of them.

        Args:
            steps, frame: as in `forecast`.

        Raises:
            ImportError: matplotlib is not installed.
            DataError: as in `forecast`.
        """
        return picture_of(self.config, self._come(steps, frame))

    def _come(self, steps: int, frame: Any) -> Coming:
        source = self.given if frame is None else frame
        return come(self.stored, self.config, panel_for(self.stored, self.config, source), steps)
