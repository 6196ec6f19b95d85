"""What a forecaster is worth: its errors beside those of the forecasts that cost nothing."""

from __future__ import annotations

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.forecasts import panels, verdict
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.series.config import SeriesConfig


def forecasts(stored: Stored, config: SeriesConfig, scope: Scope) -> Told:
    """Measure a forecaster, and draw its picture if one is wanted.

    Args:
        stored: the model.
        config: of its run.
        scope: the split or the file, how many origins, and where to draw.

    Raises:
        DataError: data that is missing or altered.
        ModelError: data that is not what the model was trained on, or no matplotlib to draw with.
    """
    if config.data == "own":
        return _of_own(stored, config, scope)
    if scope.file is not None:
        raise ModelError(f"--file is not for {config.data}, which learned from no files")
    if scope.backtest:
        raise ModelError(
            f"--backtest is for tables of your own, and every row of {config.data}'s "
            f"{scope.split} part is an origin already"
        )
    found = verdict.forecast(stored, config, scope.split)
    figures = verdict.measure(found)
    said = verdict.say(figures)
    if scope.picture is not None:
        try:
            from lstm_jax.train.forecasts.picture import draw
        except ImportError as error:
            raise ModelError(str(error)) from None
        draw(found, scope.picture)
        said += f"\nthe picture: {scope.picture}"
    return {**figures}, said


def _of_own(stored: Stored, config: SeriesConfig, scope: Scope) -> Told:
    found = panels.forecast(stored, config, scope)
    figures = panels.measure(found, scope.backtest)
    said = panels.say(figures)
    if scope.picture is not None:
        try:
            figure = panels.picture(found)
        except ImportError as error:
            raise ModelError(str(error)) from None
        figure.savefig(scope.picture, dpi=100)
        said += f"\nthe picture: {scope.picture}"
    return {**figures}, said
