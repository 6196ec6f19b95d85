"""What is chosen for a panel of series where nothing was said: spacing, season and horizon."""

from __future__ import annotations

import numpy as np

from lstm_jax.train.data.panels.panel import Panel
from lstm_jax.train.data.panels.times import Step
from lstm_jax.train.look import Choice

LONGEST_HORIZON = 24


def choose_sizes(panel: Panel, season: int = 0) -> list[Choice]:
    """Choose spacing, zone, season and horizon.

    Args:
        panel: of at least one series.
        season: that was named; 0 if none was.
    """
    median = int(np.median([len(one.times) for one in panel.series]))
    made = []
    if panel.step:
        made.append(Choice("every", panel.step.every, "the most frequent difference of times"))
    if panel.form.zone:
        made.append(Choice("zone", panel.form.zone, "as the times themselves say"))
    step = panel.step or Step(1, "row")
    default = step.season if 2 * step.season <= median else 1
    why = f"{step.pattern} of rows {step.how_often}" if default > 1 else step.pattern
    if default < step.season:
        why = f"the series are shorter than two seasons of {step.season}"
    made.append(Choice("season", default, why))
    season = season or default
    if 1 < season <= median / 5:
        made.append(Choice("horizon", season, "one season"))
    else:
        size = max(1, min(LONGEST_HORIZON, median // 10))
        why = f"a tenth of the median series, from 1 to {LONGEST_HORIZON}"
        made.append(Choice("horizon", size, why))
    return made
