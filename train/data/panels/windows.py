"""Windows of series: chronological splits, scalers fitted to the training rows, and batches.

The rows of all series are joined, each series after some rows of padding in which windows may
begin. A window belongs to the split that holds all of its targets. Its inputs precede the targets;
the first windows of a split therefore read the end of the split before, because the past is known
when a forecast is made. No window, scaler or target of a split uses anything from a later split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from lstm_jax.train.data.scaler import Scaler

Spans = dict[str, range]
"""Name of a part, "train", "valid" or "test" -> its rows in one series."""


def count_of(share: float, rows: int) -> int:
    """Convert a share of the rows to a number of rows; a value of 1 or more is a number already."""
    return round(share) if share >= 1 else round(rows * share)


def split(count: int, valid: float, test: float, *, gap: int = 0, least: int = 0) -> Spans:
    """Split rows into train, valid and test, in the order of time.

    Args:
        count: number of rows.
        valid, test: shares of the rows, or numbers of rows if 1 or more.
        gap: number of rows left out before valid and before test.
        least: minimum size of valid and test, unless their share is 0.
    """
    test_size, valid_size = (max(count_of(v, count), least if v else 0) for v in (test, valid))
    test_start = max(count - test_size, 0)
    valid_stop = max(test_start - (gap if test_size else 0), 0)
    valid_start = max(valid_stop - valid_size, 0)
    return {
        "train": range(max(valid_start - (gap if valid_size else 0), 0)),
        "valid": range(valid_start, valid_stop),
        "test": range(test_start, count),
    }


class Layout(NamedTuple):
    """Count the features of each kind, in this order.

    `past` features are known only up to now, and start with the target; `future` features are known
    in the future too, and end with a flag of the rows to forecast; `codes` are categories.
    """

    past: int
    future: int = 0
    codes: int = 0


class Windows(NamedTuple):
    """Store N windows.

    `inputs` (N, T, D) are float32, and a view if possible; `targets` (N, H) are float32, scaled,
    and 0 where missing. `at` (N,) is the row of the last input of each window, the moment of the
    forecast. `weights` (N, H) are 0 where a target is missing, or None if no target is.
    """

    inputs: np.ndarray
    targets: np.ndarray
    at: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Prepared:
    """Store series that are ready for training: features, targets and their scalers.

    Attributes:
        times: (M,), time of each row.
        target: (M,), in its unit; NaN where it is missing, and in the padding.
        filled: (M,), the target, with the last known value where it is missing.
        features: (M, D) float32, scaled: the target, the columns known only in the past, a mask of
            each column in `masked`, phases of the calendar; then, if anything is known in the
            future, those columns, the phases of the times, and a flag; then the static codes.
        clean: (M,), the target without noise, or None.
        owner: (M,), index of the series of each row.
        spans: the splits of each series, as rows of these arrays.
        scaler, target_scaler: scalers of each series, (S, C) and (S, 1).
        masked: columns that have a mask of missing values among the features.
        layout: number of features of each kind.
        pad: number of rows before each series in which windows may begin.
        predict, read, centered, window, horizon: as in `prepare`.
    """

    times: np.ndarray
    target: np.ndarray
    filled: np.ndarray
    features: np.ndarray
    clean: np.ndarray | None
    owner: np.ndarray
    spans: tuple[Spans, ...]
    scaler: Scaler
    target_scaler: Scaler
    masked: tuple[int, ...]
    layout: Layout
    pad: int
    predict: str
    read: str
    centered: bool
    window: int
    horizon: int

    def moments(self, split: str, horizon: int | None = None) -> np.ndarray:
        """Return the rows at which forecasts are made whose targets are in a split.

        Rows without a known value up to them, or in the steps to come, are left out.

        Args:
            split: "train", "valid" or "test".
            horizon: steps of the forecast; the horizon of the model if None.
        """
        steps = horizon or self.horizon
        candidates = []
        for spans in self.spans:
            begin = spans["train"].start - self.pad
            first = max(spans[split].start, begin + self.window, spans["train"].start + 1) - 1
            candidates.append(np.arange(first, max(spans[split].stop - steps, first)))
        at = np.concatenate(candidates)
        known = np.isfinite(self.target)
        # Running count of known values, to test that at least one of the steps to come is known.
        total = np.concatenate([[0], known.cumsum()])
        return at[np.isfinite(self.filled[at]) & (total[at + 1 + steps] > total[at + 1])]

    def windows(self, split: str) -> Windows:
        """Return all windows of a split.

        Args:
            split: "train", "valid" or "test".
        """
        return self.at(self.moments(split))

    def at(self, at: np.ndarray) -> Windows:
        """Return the windows whose inputs end at rows (N,)."""
        targets = self.aims(at)
        missing = np.isnan(targets)
        if not missing.any():
            return Windows(self.inputs(at), targets, at)
        weights = np.where(missing, 0, 1).astype(np.float32)
        return Windows(self.inputs(at), np.where(missing, np.float32(0), targets), at, weights)

    def aims(self, at: np.ndarray) -> np.ndarray:
        """Return the scaled targets at rows (N,): (N, H) float32, NaN where missing."""
        aims = aim(self.predict, self.target, self.filled, at, self.horizon)
        return self._target_scaler(at, 1)(aims)

    def inputs(self, at: np.ndarray) -> np.ndarray:
        """Return the inputs at rows (N,): (N, W, D), or (N, W + H, D) with features of the future.

        Args:
            at: (N,), the rows. The result is a view if they are consecutive and the features need
                no change.
        """
        layout = self.layout
        steps = self.horizon if layout.future else 0
        views = sliding_window_view(self.features, self.window + steps, axis=0).swapaxes(1, 2)
        first = at - self.window + 1
        unchanged = not layout.future and self.read != "relative"
        if unchanged and len(at) and at[-1] - at[0] == len(at) - 1:
            return views[first[0] : first[0] + len(at)]
        read = views[first]
        if self.read == "relative":
            read[:, : self.window, 0] -= read[:, self.window - 1, None, 0]
        if layout.future:
            read[:, self.window :, : layout.past] = 0
            read[:, self.window :, layout.past + layout.future - 1] = 1
        return read

    def restore(self, scaled: ArrayLike, at: np.ndarray) -> np.ndarray:
        """Convert scaled forecasts to the unit of the target.

        Args:
            scaled: (N, H, ...), the forecasts.
            at: (N,), the rows at which they were made.
        """
        scaled = np.asarray(scaled)
        values = self._target_scaler(at, scaled.ndim - 1).inverse(scaled)
        last = self.filled[at].reshape(-1, *[1] * (values.ndim - 1))
        if self.predict == "level":
            return values
        return last + values if self.predict == "change" else last * np.exp(values)

    def _target_scaler(self, at: np.ndarray, axes: int) -> Scaler:
        shape, series = (-1, *[1] * axes), self.owner[at]
        mean, scale = self.target_scaler.mean[series], self.target_scaler.scale[series]
        return Scaler(mean.reshape(shape), scale.reshape(shape))


def aim(
    predict: str, target: np.ndarray, filled: np.ndarray, at: np.ndarray, horizon: int
) -> np.ndarray:
    """Compute the quantity that a model learns to predict for the steps to come.

    "level" is the target itself, "change" the difference from the last known value, "return" the
    logarithm of the ratio to it.

    Args:
        predict: "level", "change" or "return".
        target: (M,), in its unit.
        filled: (M,), the target, with the last known value where it is missing.
        at: (N,), the rows of the last inputs.
        horizon: H, the number of steps.

    Returns:
        (N, H), NaN where the target is missing.
    """
    future = sliding_window_view(target, horizon)[at + 1]
    if predict == "level":
        return future
    last = filled[at, None]
    return future - last if predict == "change" else np.log(future / last)
