"""Evaluation of a forecaster: its errors beside the errors of simple baselines."""

from __future__ import annotations

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.train.forecasts import panels, verdict
from lstm_jax.train.scope import Scope, Told, drawing
from lstm_jax.train.tasks.series.config import SeriesConfig


def forecasts(stored: Stored, config: SeriesConfig, scope: Scope) -> Told:
    """Evaluate a forecaster, and draw its picture if `scope` names one.

    Args:
        stored: the model.
        config: configuration of its run.
        scope: the split or the file, the number of origins, and the path of the picture.

    Raises:
        DataError: if data are missing or altered.
        ModelError: if the data are not the training data, or matplotlib is not installed.
    """
    if config.data == "own":
        return _of_own(stored, config, scope)
    if scope.file is not None:
        raise ModelError(f"--file does not apply to {config.data}, which was not trained on files")
    if scope.backtest:
        raise ModelError(
            f"--backtest applies only to tables of your own: every row in the {scope.split} part "
            f"of {config.data} is already an origin"
        )
    result = verdict.forecast(stored, config, scope.split)
    figures = verdict.measure(result)
    report = verdict.say(figures)
    if scope.picture is not None:
        with drawing(scope.picture):
            from lstm_jax.train.forecasts.picture import draw

            draw(result, scope.picture)
        report += f"\nsaved picture to {scope.picture}"
    return {**figures}, report


def _of_own(stored: Stored, config: SeriesConfig, scope: Scope) -> Told:
    result = panels.forecast(stored, config, scope)
    figures = panels.measure(result, scope.backtest)
    report = panels.say(figures)
    if scope.picture is not None:
        with drawing(scope.picture):
            panels.picture(result).savefig(scope.picture, dpi=100)
        report += f"\nsaved picture to {scope.picture}"
    return {**figures}, report
