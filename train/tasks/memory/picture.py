"""The picture of a trained flip-flop. It needs matplotlib: import it when a picture is wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lstm_jax.plots.drawing import default_style
from lstm_jax.plots.portrait import fixed_point_portrait
from lstm_jax.train.tasks.memory.rest import Rest, vectors

DRAWN = 24  # trajectories


def draw(rest: Rest, path: Path) -> None:
    """Draw the fixed points among trajectories, as a PNG.

    Args:
        rest: the result of `find_rest`.
        path: the file of the picture.
    """
    points = np.asarray(vectors(rest.points.states))
    with default_style():
        unstable = np.asarray(rest.points.unstable)
        figure = fixed_point_portrait(points, unstable, rest.trajectories[:DRAWN])
        figure.savefig(path, dpi=130)
