"""From a series to windows of it: chronological splits, scalers of the training rows, views.

A window belongs to the split that all of its targets are in. What it reads is from before them,
which for the first windows of a split is the end of the split before: the past is known when a
forecast is made. Nothing of a later split is in any window, scaler or target of an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.data.series import Series


def fit_scaler(values: np.ndarray, names: Sequence[str], *, centred: bool = True) -> Scaler:
    """Fit a scaler to columns: their mean and standard deviation.

    Args:
        values: (N, D).
        names: of the columns, for errors.
        centred: else the mean is taken to be 0, which keeps the sign of a value.

    Raises:
        DataError: a column that is constant, by its name.
    """
    mean, scale = values.mean(0), values.std(0)
    for name, deviation, size in zip(names, scale, np.abs(mean), strict=True):
        if deviation <= 1e-12 * max(size, 1.0):
            raise DataError(
                f"{name} is constant in the training part ({size:g}): there is nothing to learn "
                "from it; leave it out or take a longer series"
            )
    return Scaler(mean if centred else np.zeros_like(mean), scale)


def split(count: int, valid: float, test: float) -> dict[str, range]:
    """Number the rows of train, valid and test, in time's order.

    Args:
        count: of rows.
        valid, test: their shares.
    """
    last, middle = round(count * test), round(count * valid)
    start = count - last - middle
    return {
        "train": range(start),
        "valid": range(start, start + middle),
        "test": range(start + middle, count),
    }


class Windows(NamedTuple):
    """N windows: `inputs` (N, W, D) float32, a view; `targets` (N, H) float32, scaled.

    `at` (N,): the row of each window's last input, the moment of the forecast.
    """

    inputs: np.ndarray
    targets: np.ndarray
    at: np.ndarray


@dataclass(frozen=True)
class Prepared:
    """A series made ready: what is read, what is foretold, and the scalers in between.

    `target` (N,) in its unit; `features` (N, D) float32, scaled, the target's first; `clean` (N,)
    or None. `predict`: what a target is, see `aim`; `read` and `centred` as in `prepare`.
    """

    times: np.ndarray
    target: np.ndarray
    features: np.ndarray
    clean: np.ndarray | None
    splits: dict[str, range]
    scaler: Scaler
    target_scaler: Scaler
    predict: str
    read: str
    centred: bool
    window: int
    horizon: int

    def moments(self, split: str, horizon: int | None = None) -> np.ndarray:
        """Give the rows at which a forecast is made whose targets are in a split.

        Args:
            split: "train", "valid" or "test".
            horizon: of the forecast; the series' own if None.
        """
        rows = self.splits[split]
        first = max(rows.start, self.window) - 1
        return np.arange(first, rows.stop - (horizon or self.horizon))

    def windows(self, split: str) -> Windows:
        """Give every window of a split.

        Args:
            split: "train", "valid" or "test".
        """
        at = self.moments(split)
        targets = self.target_scaler(aim(self.predict, self.target, at, self.horizon))
        return Windows(self.inputs(at), targets, at)

    def inputs(self, at: np.ndarray) -> np.ndarray:
        """Give the windows that end at rows: (N, W, D), a view.

        Args:
            at: (N,), which follow one another.
        """
        views = sliding_window_view(self.features, self.window, axis=0)
        first = at[0] - self.window + 1
        return views[first : first + len(at)].swapaxes(1, 2)

    def restore(self, scaled: ArrayLike, at: np.ndarray) -> np.ndarray:
        """Put scaled forecasts in the target's unit.

        Args:
            scaled: (N, H, ...).
            at: (N,), the rows at which they were made.
        """
        values = self.target_scaler.inverse(scaled)
        last = self.target[at].reshape(-1, *[1] * (values.ndim - 1))
        if self.predict == "level":
            return values
        return last + values if self.predict == "change" else last * np.exp(values)


def aim(predict: str, target: np.ndarray, at: np.ndarray, horizon: int) -> np.ndarray:
    """Say what a model learns to say of the steps to come.

    "level": the target itself. "change": its difference to the last value read. "return": ln of
    its ratio to that.

    Args:
        predict: "level", "change" or "return".
        target: (M,), in its unit.
        at: rows (N,), the last that is read.
        horizon: H.

    Returns:
        (N, H).
    """
    future = sliding_window_view(target, horizon)[at + 1]
    if predict == "level":
        return future
    last = target[at, None]
    return future - last if predict == "change" else np.log(future / last)


def prepare(
    series: Series,
    *,
    predict: str,
    read: str = "level",
    centred: bool = True,
    window: int,
    horizon: int,
    valid: float,
    test: float,
    calendar: Sequence[float] = (),
    fitted: tuple[Scaler, Scaler] | None = None,
) -> Prepared:
    """Split a series, fit the scalers on its training rows alone, and scale it.

    What is read are the columns, the target's first, of "return" their logarithms, and of "change"
    the differences from row to row, without the first row, which has none; and for each of the
    `calendar` periods, in rows, the sine and the cosine of the row's phase. Scalers that are not
    `centred` keep the sign of a change.

    Args:
        series: the target's column first.
        predict: "level", "change" or "return", see `aim`.
        read: "level" or "change".
        centred: whether the scalers take the mean off.
        window: rows that are read.
        horizon: steps that are forecast.
        valid, test: shares of the rows.
        calendar: periods, in rows.
        fitted: the scalers of columns and of targets; they are fitted if None.

    Raises:
        DataError: a series too short for the window and the horizon, a column that is constant, or
            a return asked of values that are not above 0.
    """
    values, times, clean = series.values, series.times, series.clean
    if predict == "return" and (values <= 0).any():
        raise DataError(f"{series.name} has values that are not above 0: it has no returns")
    columns = np.log(values) if predict == "return" else values
    if read == "change":
        columns = np.diff(columns, axis=0)
        values, times, clean = values[1:], times[1:], None if clean is None else clean[1:]
    splits = split(len(values), valid, test)
    for name, rows in splits.items():
        least = horizon + (window if name == "train" else 0)
        if len(rows) < least:
            raise DataError(
                f"{series.name} has {len(values):,} rows, {len(rows):,} of them in {name}, where a "
                f"window of {window} and a horizon of {horizon} need {least}: take shorter ones"
            )
    if fitted is None:
        stop = splits["train"].stop
        at = np.arange(window - 1, stop - horizon)
        aims = aim(predict, values[:stop, 0], at, horizon).reshape(-1, 1)
        name = f"the {predict} of {series.columns[0]}"
        fitted = (
            fit_scaler(columns[:stop], series.columns, centred=centred),
            fit_scaler(aims, [name], centred=centred),
        )
    scaler, target_scaler = fitted
    phases = 2 * np.pi * np.arange(len(values))[:, None] / np.array([*calendar])
    features = np.concatenate([scaler(columns), np.sin(phases), np.cos(phases)], 1)
    return Prepared(
        times=times,
        target=values[:, 0],
        features=features.astype(np.float32),
        clean=clean,
        splits=splits,
        scaler=scaler,
        target_scaler=target_scaler,
        predict=predict,
        read=read,
        centred=centred,
        window=window,
        horizon=horizon,
    )
