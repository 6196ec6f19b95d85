"""Make series ready for windows: fill in, split, fit scalers on the training rows, scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.panel import One, Panel
from lstm_jax.train.data.panels.phases import clock_of
from lstm_jax.train.data.panels.scaling import Fitted, aims_of, fit_scalers
from lstm_jax.train.data.panels.windows import Layout, Prepared, Spans, split
from lstm_jax.train.data.scaler import Scaler


class Rows(NamedTuple):
    """One series after `pad` rows that stand for what was before it, (N,) and (N, C).

    `values` in their unit, and what is read of them in `columns`, both NaN where missing; `filled`:
    the target with the last known value where it is missing.
    """

    times: np.ndarray
    values: np.ndarray
    columns: np.ndarray
    filled: np.ndarray
    clean: np.ndarray | None


class Way(NamedTuple):
    """How series are read and foretold, as `prepare` is told."""

    predict: str
    read: str
    centred: bool
    counts: bool
    window: int
    horizon: int
    pad: int


def prepare(
    panel: Panel,
    *,
    predict: str,
    read: str = "level",
    centred: bool = True,
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
    """Split each series, fit its scalers on its training rows alone, and scale it.

    What is read are the columns, the target's first, of "return" their logarithms (that of the
    target alone if it is read "relative"), and of "change" the differences from row to row, without
    the first row, which has none; and for each of the `calendar` periods, in rows, the sine and the
    cosine of the row's phase. Scalers that are not `centred` keep the sign of a change. Where a
    value is missing, the last known one is read, and a mask beside it if values are missing in the
    training rows too.

    Args:
        panel: the series.
        predict: "level", "change" or "return", see `aim`.
        read: "level", "change", or "relative", the target less its last value in the window.
        centred: whether the scalers take the mean off.
        counts: whether targets are scaled by 1 + their mean, as counts are.
        window: rows that are read.
        horizon: steps that are forecast.
        valid, test, gap, least: as in `split`.
        pad: rows before each series in which windows may begin; they count as missing.
        calendar: periods, in rows.
        clock: what is read off the times.
        fitted: what was fitted before; it is fitted now if None.

    Raises:
        DataError: a series too short for the window and the horizon, a column that is constant, or
            a return asked of values that are not above 0.
    """
    way = Way(predict, read, centred, counts, window, horizon, pad)
    rows = [_rows(panel, one, way) for one in panel.series]
    spans = [
        _moved(split(len(one.times) - pad, valid, test, gap=gap, least=least), pad) for one in rows
    ]
    if len(rows) == 1 and not pad and fitted is None and not least:
        _check_length(panel.name, len(rows[0].times), spans[0], window, horizon)
    fitted = _fit(panel, rows, [one["train"].stop for one in spans], way, fitted)
    features, layout = [], Layout(0)
    for index, one in enumerate(rows):
        scaler = Scaler(fitted.scaler.mean[index], fitted.scaler.scale[index])
        past, future = _read(panel, one, scaler, fitted.masked, calendar, clock, pad)
        codes = np.tile(np.array(panel.series[index].static, np.int64), (len(one.times), 1))
        layout = Layout(past.shape[1], future.shape[1], codes.shape[1])
        features.append(np.concatenate([past, future, codes], 1).astype(np.float32))
    starts = np.cumsum([0, *(len(one.times) for one in rows)])
    return Prepared(
        times=np.concatenate([one.times for one in rows]),
        target=np.concatenate([one.values[:, 0] for one in rows]),
        filled=np.concatenate([one.filled for one in rows]),
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
        centred=centred,
        window=window,
        horizon=horizon,
    )


def last_known(values: np.ndarray) -> np.ndarray:
    """Put the last value that was known where one is missing; NaN where none was.

    Args:
        values: (N, C).
    """
    known = np.where(np.isfinite(values), np.arange(len(values))[:, None], 0)
    return np.take_along_axis(values, np.maximum.accumulate(known), 0)


def _fit(
    panel: Panel, rows: Sequence[Rows], stops: Sequence[int], way: Way, fitted: Fitted | None
) -> Fitted:
    """Fit what is not fitted yet to the rows before `stops`."""
    pad, names = way.pad, panel.columns
    parts = [one.columns[pad:stop] for one, stop in zip(rows, stops, strict=True)]
    if fitted is None:
        none = np.full((len(rows), len(names)), np.nan)
        missing = np.any([np.isnan(part).any(0) for part in parts], axis=0)
        masked = {*np.flatnonzero(missing).tolist()} | ({0} if pad else set())
        fitted = Fitted(Scaler(none, none), Scaler(none[:, :1], none[:, :1]), tuple(sorted(masked)))
    scaler = fit_scalers(parts, names, centred=way.centred, before=fitted.scaler)
    if way.counts:
        # Of a series that has no count yet the mean is taken to be 1.
        first = [part[np.isfinite(part[:, 0]), 0] for part in parts]
        means = np.array([[part.mean() if len(part) else 1.0] for part in first])
        new = np.isnan(fitted.target_scaler.scale)
        scale = np.where(new, 1 + means, fitted.target_scaler.scale)
        return Fitted(scaler, Scaler(np.zeros_like(scale), scale), fitted.masked)
    aims = [
        aims_of(one.values[:stop, 0], one.filled[:stop], way.predict, way.window, way.horizon, pad)
        for one, stop in zip(rows, stops, strict=True)
    ]
    if way.read == "relative":  # of mean 0, and as wide as they lie from it
        aims = [np.concatenate([part, -part]) for part in aims]
    target = fit_scalers(
        aims, [f"the {way.predict} of {names[0]}"], centred=way.centred, before=fitted.target_scaler
    )
    if way.read == "relative":
        scale = np.concatenate([target.scale, scaler.scale[:, 1:]], 1)
        scaler = Scaler(scaler.mean, scale)
    return Fitted(scaler, target, fitted.masked)


def _rows(panel: Panel, one: One, way: Way) -> Rows:
    """What is forecast and what is read of a series."""
    values, times, clean = one.values, one.times, one.clean
    columns = values
    if way.predict == "return":
        logs = 1 if way.read == "relative" else values.shape[1]
        if (values[:, :logs] <= 0).any():
            name = ", ".join((panel.name, *one.key))
            raise DataError(f"{name} has values that are not above 0: it has no returns")
        columns = np.concatenate([np.log(values[:, :logs]), values[:, logs:]], 1)
    if way.read == "change":
        columns = np.diff(columns, axis=0)
        values, times, clean = values[1:], times[1:], None if clean is None else clean[1:]
    if way.pad:
        before = ((way.pad, 0), (0, 0))
        values, columns = (np.pad(v, before, constant_values=np.nan) for v in (values, columns))
        times = np.pad(times, (way.pad, 0), "edge")
    return Rows(times, values, columns, last_known(values)[:, 0], clean)


def _read(
    panel: Panel,
    one: Rows,
    scaler: Scaler,
    masked: Sequence[int],
    calendar: Sequence[float],
    clock: Sequence[str],
    pad: int,
) -> tuple[np.ndarray, np.ndarray]:
    """What is known of each row in the past only, and what is known in the future too."""
    columns = last_known(one.columns)
    # Before the first known value stands that one: it is in each window that such a row is in.
    columns = last_known(columns[::-1])[::-1]
    scaled = np.nan_to_num(scaler(columns))
    count = 1 + len(panel.past)
    masks = np.isnan(one.values[:, [*masked]])
    phases = 2 * np.pi * (np.arange(len(columns)) - pad)[:, None] / np.array([*calendar])
    past = [scaled[:, :count], masks, np.sin(phases), np.cos(phases)]
    future = [scaled[:, count:], clock_of(one.times, clock)] if clock else [scaled[:, count:]]
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
                f"{name} has {count:,} rows, {len(rows):,} of them in {part}, where a "
                f"window of {window} and a horizon of {horizon} need {least}: take shorter ones"
            )
