"""The portrait of fixed points among trajectories."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

from lstm_jax import plots

RNG = np.random.default_rng(0)
WIDE = np.array([5.0, 3, 2, 0.1])  # the first three coordinates are the components
PATHS = RNG.normal(size=(5, 400, 4)) * WIDE
POINTS = np.eye(4)[[0, 0, 1, 2]] * 4


def test_points_stand_where_the_components_put_them():
    figure = plots.fixed_point_portrait(POINTS, [0, 0, 1, 3], PATHS)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    [axes] = figure.axes
    assert [axes.get_xlabel()[:4], axes.get_ylabel()[:4], axes.get_zlabel()[:4]] == [
        "PC 1", "PC 2", "PC 3",
    ]  # fmt: skip
    assert len(axes.get_lines()) == len(PATHS)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [
        "trajectories",
        "stable (2)",
        "saddle, 1 unstable direction (1)",
        "saddle, 3 unstable directions (1)",
    ]
    stable = np.stack(axes.collections[0]._offsets3d, -1)
    center = PATHS.reshape(-1, 4).mean(0)
    np.testing.assert_allclose(np.abs(stable), np.abs(POINTS[:2] - center)[:, :3], atol=0.3)
