"""Results for series as columns of a table: the series, the time, and the values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from lstm_jax.train.data.panels.panel import Panel


def answer_columns(
    panel: Panel, answers: Iterable[tuple[tuple[str, ...], np.ndarray, Mapping[str, Any]]]
) -> dict[str, list[Any]]:
    """Arrange results as columns: those of `by`, the time in its original form, then the values.

    Args:
        panel: the panel of the series.
        answers: for each series its key, (N,) times as in `One`, and columns of N values by name.
    """
    columns: dict[str, list[Any]] = {name: [] for name in (*panel.by, panel.time or "row")}
    cells = [_cells_of(panel.like, name) for name in panel.by]
    for key, times, values in answers:
        for name, cell, known in zip(panel.by, key, cells, strict=True):
            columns[name] += [known.get(cell, cell)] * len(times)
        columns[panel.time or "row"] += panel.form.write(times)
        for name, column in values.items():
            columns.setdefault(name, []).extend(np.asarray(column).tolist())
    return columns


def _cells_of(like: Any, name: str) -> dict[str, Any]:
    """Map texts to the cells of a frame, so that numbers stay numbers in the result."""
    if like is None:
        return {}
    frame = nw.from_native(like)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    cells: Sequence[Any] = frame[name].unique().to_list()
    return {str(cell): cell for cell in cells}
