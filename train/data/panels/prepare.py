"""Preparation of series for windows: fill gaps, split, fit scalers to the training rows, scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.panel import One, Panel
from lstm_jax.train.data.panels.phases import clock_of
from lstm_jax.train.data.panels.scaling import Fitted, aims_of, fit_scalers
from lstm_jax.train.data.panels.times import to_wall
from lstm_jax.train.data.panels.windows import Layout, Prepared, Spans, split
from lstm_jax.train.data.scaler import Scaler


class Rows(NamedTuple):
    """Store one series of N rows, the first `pad` of which are padding, and its C columns.

    `values` are in their units, `columns` are the inputs derived from them, both NaN where missing;
    `filled` is the target, with the last known value where it is missing.
    """

    times: np.ndarray
    values: np.ndarray
    columns: np.ndarray
    filled: np.ndarray
    clean: np.ndarray | None


class Setup(NamedTuple):
    """Configure the inputs and targets of a model, with the arguments of `prepare`."""

    predict: str
    read: str
    centered: bool
    counts: bool
    window: int
    horizon: int
    pad: int


def prepare(
    panel: Panel,
    *,
    predict: str,
    read: str = "level",
    centered: bool = True,
    counts: bool = False,
    window: int,
    horizon: int,
    valid: float,
    test: float,
    gap: int = 0,
    least: int = 0,
    pad: int = 0,
    calendar: Sequence[float] = (),
    clock: Sequence[str] = (),
    fitted: Fitted | None = None,
) -> Prepared:
    """Split each series, fit its scalers to its training rows alone, and scale it.

    The inputs are the columns, with the target first, and the sine and cosine of the phase of each
    row in the `calendar` periods. If `predict` is "return", the inputs are the logarithms of the
    columns (or of the target alone if `read` is "relative"). If `read` is "change", they are the
    differences from row to row, without the first row, which has none. Scalers that are not
    `centered` keep the sign of a change. A missing value is replaced by the last known one, with a
    mask as a further input if values are also missing in the training rows.

    Args:
        panel: the series.
        predict: "level", "change" or "return", see `aim`.
        read: "level", "change", or "relative", the target minus its last value in the window.
        centered: whether the scalers subtract the mean.
        counts: whether targets are counts, which are scaled by 1 + their mean.
        window: number of rows in the inputs.
        horizon: number of steps to forecast.
        valid, test, gap, least: as in `split`.
        pad: number of rows before each series in which windows may begin; they count as missing.
        calendar: periods, in rows.
        clock: phases computed from the times, as in `clock_of`.
        fitted: an earlier fit; scalers are fitted now if None.

    Raises:
        DataError: if a series is too short for the window and the horizon, a column is constant,
            or returns of values that are not positive are requested.
    """
    setup = Setup(predict, read, centered, counts, window, horizon, pad)
    rows = [_rows(panel, series, setup) for series in panel.series]
    spans = [
        _moved(split(len(series.times) - pad, valid, test, gap=gap, least=least), pad)
        for series in rows
    ]
    if len(rows) == 1 and not pad and fitted is None and not least:
        _check_length(panel.name, len(rows[0].times), spans[0], window, horizon)
    fitted = _fit(panel, rows, [series["train"].stop for series in spans], setup, fitted)
    features, layout = [], Layout(0)
    for index, series in enumerate(rows):
        scaler = Scaler(fitted.scaler.mean[index], fitted.scaler.scale[index])
        past, future = _read(panel, series, scaler, fitted.masked, calendar, clock, pad)
        codes = np.tile(np.array(panel.series[index].static, np.int64), (len(series.times), 1))
        layout = Layout(past.shape[1], future.shape[1], codes.shape[1])
        features.append(np.concatenate([past, future, codes], 1).astype(np.float32))
    starts = np.cumsum([0, *(len(series.times) for series in rows)])
    return Prepared(
        times=np.concatenate([series.times for series in rows]),
        target=np.concatenate([series.values[:, 0] for series in rows]),
        filled=np.concatenate([series.filled for series in rows]),
        features=np.concatenate(features),
        clean=rows[0].clean,
        owner=np.repeat(np.arange(len(rows)), np.diff(starts)),
        spans=tuple(map(_moved, spans, starts.tolist())),
        scaler=fitted.scaler,
        target_scaler=fitted.target_scaler,
        masked=fitted.masked,
        layout=layout,
        pad=pad,
        predict=predict,
        read=read,
        centered=centered,
        window=window,
        horizon=horizon,
    )


def last_known(values: np.ndarray) -> np.ndarray:
    """Replace missing values by the last known value, or NaN if there is none before.

    Args:
        values: (N, C).
    """
    known = np.where(np.isfinite(values), np.arange(len(values))[:, None], 0)
    return np.take_along_axis(values, np.maximum.accumulate(known), 0)


def _fit(
    panel: Panel,
    rows: Sequence[Rows],
    stops: Sequence[int],
    setup: Setup,
    fitted: Fitted | None,
) -> Fitted:
    """Fit the scalers that are not fitted yet, to the rows before `stops`."""
    pad, names = setup.pad, panel.columns
    parts = [series.columns[pad:stop] for series, stop in zip(rows, stops, strict=True)]
    if fitted is None:
        unknown = np.full((len(rows), len(names)), np.nan)
        missing = np.any([np.isnan(part).any(0) for part in parts], axis=0)
        masked = {*np.flatnonzero(missing).tolist()} | ({0} if pad else set())
        fitted = Fitted(
            Scaler(unknown, unknown), Scaler(unknown[:, :1], unknown[:, :1]), tuple(sorted(masked))
        )
    scaler = fit_scalers(parts, names, centered=setup.centered, before=fitted.scaler)
    if setup.counts:
        # A series without any count gets the mean 1.
        first = [part[np.isfinite(part[:, 0]), 0] for part in parts]
        means = np.array([[part.mean() if len(part) else 1.0] for part in first])
        new = np.isnan(fitted.target_scaler.scale)
        scale = np.where(new, 1 + means, fitted.target_scaler.scale)
        return Fitted(scaler, Scaler(np.zeros_like(scale), scale), fitted.masked)
    sizes = setup.window, setup.horizon, pad
    aims = [
        aims_of(series.values[:stop, 0], series.filled[:stop], setup.predict, *sizes)
        for series, stop in zip(rows, stops, strict=True)
    ]
    if setup.read == "relative":  # so that the mean is 0 and the scale is the RMS
        aims = [np.concatenate([part, -part]) for part in aims]
    target = fit_scalers(
        aims,
        [f"the {setup.predict} of {names[0]}"],
        centered=setup.centered,
        before=fitted.target_scaler,
    )
    if setup.read == "relative":
        scale = np.concatenate([target.scale, scaler.scale[:, 1:]], 1)
        scaler = Scaler(scaler.mean, scale)
    return Fitted(scaler, target, fitted.masked)


def _rows(panel: Panel, series: One, setup: Setup) -> Rows:
    """Compute the targets and the inputs of a series."""
    values, times, clean = series.values, series.times, series.clean
    columns = values
    if setup.predict == "return":
        logs = 1 if setup.read == "relative" else values.shape[1]
        if (values[:, :logs] <= 0).any():
            name = ", ".join((panel.name, *series.key))
            raise DataError(
                f"{name} has values that are not positive, so it has no returns: predict changes"
            )
        columns = np.concatenate([np.log(values[:, :logs]), values[:, logs:]], 1)
    if setup.read == "change":
        columns = np.diff(columns, axis=0)
        values, times, clean = values[1:], times[1:], None if clean is None else clean[1:]
    if setup.pad:
        padding = ((setup.pad, 0), (0, 0))
        values, columns = (np.pad(v, padding, constant_values=np.nan) for v in (values, columns))
        times = np.pad(times, (setup.pad, 0), "edge")
    return Rows(times, values, columns, last_known(values)[:, 0], clean)


def _read(
    panel: Panel,
    series: Rows,
    scaler: Scaler,
    masked: Sequence[int],
    calendar: Sequence[float],
    clock: Sequence[str],
    pad: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of each row that are known only in the past, and in the future too."""
    columns = last_known(series.columns)
    # Padding repeats the first row. Rows before the first known target get that target: every
    # window with such a row contains it. The mean stands for columns that become known later.
    columns[:pad] = columns[pad : pad + 1]
    columns[:, :1] = last_known(columns[::-1, :1])[::-1]
    scaled = np.nan_to_num(scaler(columns))
    count = 1 + len(panel.past)
    # A change is unknown in the row after a gap too.
    masks = np.isnan(series.columns[:, [*masked]])
    phases = 2 * np.pi * (np.arange(len(columns)) - pad)[:, None] / np.array([*calendar])
    local = to_wall(series.times, panel.form.zone) if clock and panel.form.zone else series.times
    past = [scaled[:, :count], masks, np.sin(phases), np.cos(phases)]
    future = [scaled[:, count:], clock_of(local, clock)] if clock else [scaled[:, count:]]
    if clock or panel.known:
        future.append(np.zeros((len(columns), 1)))
    return np.concatenate(past, 1), np.concatenate(future, 1)


def _moved(spans: Spans, by: int) -> Spans:
    return {name: range(part.start + by, part.stop + by) for name, part in spans.items()}


def _check_length(name: str, count: int, spans: Spans, window: int, horizon: int) -> None:
    for part, rows in spans.items():
        least = horizon + (window if part == "train" else 0)
        if len(rows) < least:
            raise DataError(
                f"{name} has {count:,} rows, {len(rows):,} of them in {part}, but a window of "
                f"{window} and a horizon of {horizon} need {least}: use smaller ones"
            )
