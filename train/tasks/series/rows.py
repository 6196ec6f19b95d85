"""Windows for a report: some before forecasts of the test."""

from __future__ import annotations

from functools import partial

import numpy as np

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.report.rows import Rows
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.task import load, loss_of, prepare_for


def windows_to_read(stored: Stored, config: SeriesConfig, count: int, steps: int) -> Rows:
    """Take windows of the test split, evenly spaced.

    Args:
        stored: the model.
        config: of its run.
        count: of windows.
        steps: is not asked: a window is read whole.

    Raises:
        DataError: data that is missing or altered.
        ModelError: data that is not what the model was trained on.
    """
    del steps
    series = load(config)
    if series.sha256 != stored.card.get("data_sha256"):
        raise ModelError(f"{series.name} is not what the model was trained on: it has changed")
    own = stored.description
    fitted = Scaler.from_dict(own["scaler"]), Scaler.from_dict(own["target_scaler"])
    windows = prepare_for(config, series, fitted).windows("test")
    total = len(windows.at)
    chosen = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))
    loss = "pinball loss" if config.quantiles else "squared error"
    return Rows(
        inputs=windows.inputs[chosen],
        targets=windows.targets[chosen],
        outputs=lambda model, xs: model(xs),
        loss=partial(loss_of, quantiles=config.quantiles),
        unit=f"{loss} of scaled values",
        kind="window",
        source=f"Windows before forecasts of the test split of {series.name}, evenly spaced.",
        least=max(config.model.linear, 1),
    )
