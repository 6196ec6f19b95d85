"""From series to windows of them: chronological splits, scalers of the training rows, batches.

The rows of all series lie below one another, those of each after some rows of padding where windows
may begin before it does. A window belongs to the split that all of its targets are in. What it
reads is from before them, which for the first windows of a split is the end of the split before:
the past is known when a forecast is made. Nothing of a later split is in any window, scaler or
target of an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from lstm_jax.train.data.scaler import Scaler

Spans = dict[str, range]
"""Of one series: "train", "valid" and "test" -> its rows."""


def count_of(share: float, rows: int) -> int:
    """Say how many rows a share of them is; from 1 on it is their number itself."""
    return round(share) if share >= 1 else round(rows * share)


def split(count: int, valid: float, test: float, *, gap: int = 0, least: int = 0) -> Spans:
    """Number the rows of train, valid and test, in time's order.

    Args:
        count: of rows.
        valid, test: their shares, or from 1 on their numbers.
        gap: rows before valid and before test that are left out.
        least: rows that valid and test have at least, unless their share is 0.
    """
    last, middle = (max(count_of(v, count), least if v else 0) for v in (test, valid))
    start = max(count - last, 0)
    before = max(start - (gap if last else 0), 0)
    begin = max(before - middle, 0)
    return {
        "train": range(max(begin - (gap if middle else 0), 0)),
        "valid": range(begin, before),
        "test": range(start, count),
    }


class Layout(NamedTuple):
    """How many of the features, in this order, are known in the `past` only, which the first is the
    target of; in the `future` too, the last of which is a flag that says that a row is there; and
    `codes` of categories."""

    past: int
    future: int = 0
    codes: int = 0


class Windows(NamedTuple):
    """N windows: `inputs` (N, T, D) float32, a view where it can be one; `targets` (N, H) float32,
    scaled, 0 where they are missing.

    `at` (N,): the row of each window's last input, the moment of the forecast. `weights` (N, H):
    0 where a target is missing; None if none is.
    """

    inputs: np.ndarray
    targets: np.ndarray
    at: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Prepared:
    """Series made ready: what is read, what is foretold, and the scalers in between.

    Attributes:
        times: (M,), of each row.
        target: (M,), in its unit; NaN where it is missing, and in the padding.
        filled: (M,), the same with the last known value where it is missing.
        features: (M, D) float32, scaled: the target first, columns that are known in the past only,
            a mask of each column in `masked`, phases of the calendar; then, if anything is known in
            the future, those columns, what is read off the times, and a flag; then static codes.
        clean: (M,), or None.
        owner: (M,), which series a row is of.
        spans: the splits of each series, in rows of these arrays.
        scaler, target_scaler: of each series, (S, C) and (S, 1).
        masked: columns of which the model sees where they are missing.
        layout: how many of the features are what.
        pad: rows before each series, in which windows may begin.
        predict, read, centred, window, horizon: as in `prepare`.
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
    centred: bool
    window: int
    horizon: int

    def moments(self, split: str, horizon: int | None = None) -> np.ndarray:
        """Give the rows at which a forecast is made whose targets are in a split.

        Those at which no value is known yet, and those after which none is, are left out.

        Args:
            split: "train", "valid" or "test".
            horizon: of the forecast; the model's own if None.
        """
        steps = horizon or self.horizon
        found = []
        for spans in self.spans:
            begin = spans["train"].start - self.pad
            first = max(spans[split].start, begin + self.window, spans["train"].start + 1) - 1
            found.append(np.arange(first, max(spans[split].stop - steps, first)))
        at = np.concatenate(found)
        known = np.isfinite(self.target)
        # The values that are known after a row, counted: some of the steps to come, at least one.
        total = np.concatenate([[0], known.cumsum()])
        return at[np.isfinite(self.filled[at]) & (total[at + 1 + steps] > total[at + 1])]

    def windows(self, split: str) -> Windows:
        """Give every window of a split.

        Args:
            split: "train", "valid" or "test".
        """
        return self.at(self.moments(split))

    def at(self, at: np.ndarray) -> Windows:
        """Give the windows that end at rows (N,)."""
        targets = self.aims(at)
        missing = np.isnan(targets)
        if not missing.any():
            return Windows(self.inputs(at), targets, at)
        weights = np.where(missing, 0, 1).astype(np.float32)
        return Windows(self.inputs(at), np.where(missing, np.float32(0), targets), at, weights)

    def aims(self, at: np.ndarray) -> np.ndarray:
        """Give what a model learns to say at rows (N,), scaled: (N, H) float32, NaN if missing."""
        aims = aim(self.predict, self.target, self.filled, at, self.horizon)
        return self._target_scaler(at, 1)(aims)

    def inputs(self, at: np.ndarray) -> np.ndarray:
        """Give what is read at rows (N,): (N, W, D), or (N, W + H, D) if something is known then.

        Args:
            at: (N,). It is a view where they follow one another and are read as they are.
        """
        layout = self.layout
        steps = self.horizon if layout.future else 0
        views = sliding_window_view(self.features, self.window + steps, axis=0).swapaxes(1, 2)
        first = at - self.window + 1
        plain = not layout.future and self.read != "relative"
        if plain and len(at) and at[-1] - at[0] == len(at) - 1:
            return views[first[0] : first[0] + len(at)]
        read = views[first]
        if self.read == "relative":
            read[:, : self.window, 0] -= read[:, self.window - 1, None, 0]
        if layout.future:
            read[:, self.window :, : layout.past] = 0
            read[:, self.window :, layout.past + layout.future - 1] = 1
        return read

    def restore(self, scaled: ArrayLike, at: np.ndarray) -> np.ndarray:
        """Put scaled forecasts in the target's unit.

        Args:
            scaled: (N, H, ...).
            at: (N,), the rows at which they were made.
        """
        scaled = np.asarray(scaled)
        values = self._target_scaler(at, scaled.ndim - 1).inverse(scaled)
        last = self.filled[at].reshape(-1, *[1] * (values.ndim - 1))
        if self.predict == "level":
            return values
        return last + values if self.predict == "change" else last * np.exp(values)

    def _target_scaler(self, at: np.ndarray, axes: int) -> Scaler:
        shape, of = (-1, *[1] * axes), self.owner[at]
        mean, scale = self.target_scaler.mean[of], self.target_scaler.scale[of]
        return Scaler(mean.reshape(shape), scale.reshape(shape))


def aim(
    predict: str, target: np.ndarray, filled: np.ndarray, at: np.ndarray, horizon: int
) -> np.ndarray:
    """Say what a model learns to say of the steps to come.

    "level": the target itself. "change": its difference to the last value known. "return": ln of
    its ratio to that.

    Args:
        predict: "level", "change" or "return".
        target: (M,), in its unit.
        filled: (M,), with the last known value where one is missing.
        at: rows (N,), the last that is read.
        horizon: H.

    Returns:
        (N, H), NaN where the target is missing.
    """
    future = sliding_window_view(target, horizon)[at + 1]
    if predict == "level":
        return future
    last = filled[at, None]
    return future - last if predict == "change" else np.log(future / last)
