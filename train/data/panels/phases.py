"""Phases of the year, the week and the day as sines and cosines, which are known in the future."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DAY = 86_400.0


def clock_of(times: np.ndarray, parts: Sequence[str]) -> np.ndarray:
    """Compute phases of the calendar.

    Args:
        times: (N,) datetime64.
        parts: P of "month", "weekday" and "hour".

    Returns:
        (N, 2 P), the sines and then the cosines of the phases of the year, the week or the day.
    """
    days = times.astype("datetime64[s]").astype(np.int64) / DAY
    months = times.astype("datetime64[M]")
    into = (times - months.astype(times.dtype)).astype("timedelta64[s]").astype(np.float64) / DAY
    phases = {
        "month": (months.astype(np.int64) % 12 + into / 31) / 12,
        "weekday": (days + 3) / 7,  # 1970 began on a Thursday
        "hour": days,
    }
    turns = 2 * np.pi * np.stack([phases[part] for part in parts], 1).reshape(len(times), -1)
    return np.concatenate([np.sin(turns), np.cos(turns)], 1)
