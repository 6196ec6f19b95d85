"""The picture of a classifier. It takes matplotlib: import it when a picture is asked for."""

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
    """Draw how far probabilities can be relied on, and what was taken for what, as a PNG.

    Args:
        logs: ln p as the model says it, (N, C).
        used: the same with the temperature applied.
        truth: the classes, (N,).
        counts: what was taken for what, (C, C).
        classes: their names, C.
        path: of the picture.
    """
    curves = {"as it is": calibration.reliability(logs, truth)}
    if used is not logs:
        curves["calibrated"] = calibration.reliability(used, truth)
    few = len(classes) <= MOST_CLASSES
    with default_style():
        figure = new_figure(2 if few else 1)
        reliability(curves, axes=figure.axes[0])
        if few:
            confusion(counts, classes=classes, title="True and answered", axes=figure.axes[1],
                      labels=("answered", "true"))  # fmt: skip
        figure.savefig(path, dpi=110)
