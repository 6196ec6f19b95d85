"""Defaults for a panel of series: spacing, time zone, season and horizon."""

from __future__ import annotations

import numpy as np

from lstm_jax.train.data.panels.panel import Panel
from lstm_jax.train.data.panels.times import Step
from lstm_jax.train.look import Choice

LONGEST_HORIZON = 24


def choose_sizes(panel: Panel, season: int = 0) -> list[Choice]:
    """Choose spacing, zone, season and horizon.

    Args:
        panel: a panel with at least one series.
        season: the requested season; 0 if it must be chosen.
    """
    median = int(np.median([len(series.times) for series in panel.series]))
    choices = []
    if panel.step:
        choices.append(Choice("every", panel.step.every, "the most frequent distance between rows"))
    if panel.form.zone:
        choices.append(Choice("zone", panel.form.zone, "the zone of the times themselves"))
    step = panel.step or Step(1, "row")
    default = step.season if 2 * step.season <= median else 1
    why = f"{step.pattern}, with one row {step.how_often}" if default > 1 else step.pattern
    if default < step.season:
        why = f"the median series is shorter than two seasons of {step.season}"
    choices.append(Choice("season", default, why))
    season = season or default
    if 1 < season <= median / 5:
        choices.append(Choice("horizon", season, "one season"))
    else:
        size = max(1, min(LONGEST_HORIZON, median // 10))
        why = f"a tenth of the median series, between 1 and {LONGEST_HORIZON}"
        choices.append(Choice("horizon", size, why))
    return choices
