"""The picture of a classifier. It needs matplotlib: import it only when a picture is requested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.plots.drawing import default_style, new_figure
from lstm_jax.plots.judgements import confusion, reliability
from lstm_jax.train.tasks.classify import calibration

MOST_CLASSES = 20


def draw(
    logs: np.ndarray,
    used: np.ndarray,
    truth: np.ndarray,
    counts: np.ndarray,
    classes: Sequence[str],
    path: Path,
) -> None:
    """Draw the reliability of probabilities and the confusion matrix, as a PNG file.

    Args:
        logs: ln p by the model, (N, C).
        used: the same with the temperature applied.
        truth: the true classes, (N,).
        counts: the confusion matrix, (C, C).
        classes: names of the C classes.
        path: path of the picture.
    """
    curves = {"uncalibrated": calibration.reliability(logs, truth)}
    if used is not logs:
        curves["calibrated"] = calibration.reliability(used, truth)
    few = len(classes) <= MOST_CLASSES
    with default_style():
        figure = new_figure(2 if few else 1)
        reliability(curves, axes=figure.axes[0])
        if few:
            confusion(counts, classes=classes, title="True and predicted", axes=figure.axes[1],
                      labels=("predicted", "true"))  # fmt: skip
        figure.savefig(path, dpi=110)
