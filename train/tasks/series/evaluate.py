"""What a forecaster is worth: its errors beside those of the forecasts that cost nothing."""

from __future__ import annotations

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.forecasts import verdict
from lstm_jax.train.scope import Scope, Told
from lstm_jax.train.tasks.series.config import SeriesConfig


def forecasts(stored: Stored, config: SeriesConfig, scope: Scope) -> Told:
    """Measure a forecaster, and draw its picture if one is wanted.

    Args:
        stored: the model.
        config: of its run.
        scope: the split, and where to draw.

    Raises:
        DataError: data that is missing or altered.
        ModelError: data that is not what the model was trained on, or no matplotlib to draw with.
    """
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
