"""Windows of the test split for a report."""

from __future__ import annotations

from functools import partial

import numpy as np

from lstm_jax.models.storage import ModelError, Stored
from lstm_jax.report.rows import Rows
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.load import load_panel
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.load import fitted_for, fitted_of, load, prepare_for
from lstm_jax.train.tasks.series.outputs import loss_of


def windows_to_read(stored: Stored, config: SeriesConfig, count: int, steps: int) -> Rows:
    """Select evenly spaced windows of the test split.

    Args:
        stored: the model.
        config: configuration of its run.
        count: number of windows.
        steps: ignored, because a window is read whole.

    Raises:
        DataError: if data are missing or altered.
        ModelError: if the data are not the training data, or the model predicts distributions.
    """
    del steps
    if config.likelihood != "none":
        raise ModelError("a report needs a model of means or quantiles, got one of distributions")
    own = config.data == "own"
    if own and not config.file:
        raise DataError(
            "the model was trained on a data frame, which is not saved, so it cannot have a report"
        )
    panel = load_panel(config)[0] if own else load(config)
    if panel.sha256 != stored.card.get("data_sha256"):
        raise ModelError(f"{panel.name} has changed since the model was trained on it")
    description = stored.description
    ready = prepare_for(
        config, panel, fitted_for(description, panel) if own else fitted_of(description)
    )
    split = "test" if len(ready.moments("test")) else "valid"
    at = ready.moments(split)
    at = at[np.isfinite(ready.aims(at)).all(1)]
    if not len(at):
        raise DataError(f"{panel.name} has no window after which every step is known")
    chosen = at[np.unique(np.linspace(0, len(at) - 1, min(count, len(at))).astype(int))]
    inputs, targets, *_ = ready.at(chosen)
    loss = "pinball loss" if config.quantiles else "squared error"
    return Rows(
        inputs=inputs,
        targets=targets,
        outputs=lambda model, xs: model(xs),
        loss=partial(loss_of, quantiles=config.quantiles),
        unit=f"{loss} of scaled values",
        kind="window",
        source=f"Windows before forecasts of the {split} split of {panel.name}, evenly spaced.",
        least=max(config.model.linear, 1),
    )
