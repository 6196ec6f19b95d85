"""The run of a forecaster, as returned by `fit.series` and `load`."""

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
    """Run of a forecaster, with methods to forecast and to plot."""

    def forecast(self, steps: int = 0, frame: Any = None) -> Any:
        """Forecast the steps after the last row of each series.

        Args:
            steps: number of steps to forecast; the model's horizon if 0. Beyond the horizon the
                model reads its own forecasts.
            frame: a frame, or the path of a file, to forecast from its end; the training data if
                None. Rows at the end without a target hold the known future.

        Returns:
            A frame of the same library as the input, or a dict of lists for files: the columns
            `by`, the time, the target, and its other quantiles, with names such as "units_0.9".

        Raises:
            DataError: if the table is not suitable; the message names the place.
        """
        coming = self._come(steps, frame)
        return frame_like(columns_of(self.config, coming), coming.panel.like)

    def plot(self, steps: int = 0, frame: Any = None) -> Figure:
        """Draw the last rows of some series, and their forecasts.

        Args:
            steps, frame: as in `forecast`.

        Raises:
            ImportError: if matplotlib is not installed.
            DataError: as in `forecast`.
        """
        return picture_of(self.config, self._come(steps, frame))

    def _come(self, steps: int, frame: Any) -> Coming:
        source = self.given if frame is None else frame
        return come(self.stored, self.config, panel_for(self.stored, self.config, source), steps)
