"""The scalers of each series: fitted to its training rows, or taken from what was fitted before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.windows import aim
from lstm_jax.train.data.scaler import Scaler


class Fitted(NamedTuple):
    """What was fitted to training rows: `scaler` (S, C) and `target_scaler` (S, 1), NaN for series
    that were not there; `masked`, the columns of which the model sees where they are missing."""

    scaler: Scaler
    target_scaler: Scaler
    masked: tuple[int, ...] = ()


def fit_scaler(values: np.ndarray, names: Sequence[str], *, centred: bool = True) -> Scaler:
    """Fit a scaler to columns: their mean and standard deviation.

    Args:
        values: (N, D).
        names: of the columns, for errors.
        centred: else the mean is taken to be 0, which keeps the sign of a value.

    Raises:
        DataError: a column that is constant, by its name.
    """
    mean, scale = _moments(values)
    for name, constant, size in zip(names, _constant(mean, scale), np.abs(mean), strict=True):
        if constant:
            raise DataError(
                f"{name} is constant in the training part ({size:g}): there is nothing to learn "
                "from it; leave it out or take a longer series"
            )
    return Scaler(mean if centred else np.zeros_like(mean), scale)


def fit_scalers(
    parts: Sequence[np.ndarray], names: Sequence[str], *, centred: bool = True, before: Scaler
) -> Scaler:
    """Fit a scaler to each of several series.

    What is constant in one of them, or not known there, has the scale that it has in the middle one
    of the others; what is constant in each, such as a price that differs between them, that which
    it has in all together.

    Args:
        parts: (N, D) of each, NaN where a value is missing.
        names: of the columns, for errors.
        centred: as in `fit_scaler`.
        before: (S, D), what was fitted before; NaN in the rows of series that are fitted now.

    Returns:
        (S, D).

    Raises:
        DataError: a column that is constant in all of them, by its name.
    """
    new = np.isnan(before.scale).any(1)
    if not new.any():
        return before
    if len(parts) == 1 and not np.isnan(parts[0]).any():
        one = fit_scaler(parts[0], names, centred=centred)
        return Scaler(one.mean[None], one.scale[None])
    mean, scale = before.mean.copy(), before.scale.copy()
    for index in np.flatnonzero(new).tolist():
        mean[index], found = _moments(parts[index])
        scale[index] = np.where(_constant(mean[index], found), np.nan, found)
    for column in np.flatnonzero(np.isnan(scale).all(0)).tolist():
        whole = np.concatenate([part[:, [column]] for part in parts])
        one = fit_scaler(whole[np.isfinite(whole)][:, None], [names[column]], centred=centred)
        scale[:, column] = one.scale[0]
    scale = np.where(np.isnan(scale), np.nanmedian(scale, axis=0), scale)
    return Scaler(np.nan_to_num(mean) if centred else np.zeros_like(mean), scale)


def aims_of(
    values: np.ndarray, filled: np.ndarray, predict: str, window: int, horizon: int, pad: int
) -> np.ndarray:
    """Give what is to be said of the training rows of a series, (N, 1), to fit its scaler.

    Args:
        values, filled: (N,), the target of the training rows, after `pad` others.
        predict: see `aim`.
        window, horizon, pad: as in `prepare`.
    """
    at = np.arange(max(window, pad + 1) - 1, len(values) - horizon)
    if not len(at):  # too few rows for a whole window: what there is of the steps to come
        at = np.arange(pad, len(values) - 1)
        values = np.pad(values, (0, horizon), constant_values=np.nan)
    if not len(at):
        return np.empty((0, 1))
    return aim(predict, values, filled, at, horizon).reshape(-1, 1)


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of what is known of each column, NaN where nothing is."""
    if len(values) and not np.isnan(values).any():
        return values.mean(0), values.std(0)
    known = np.isfinite(values)
    count = np.where(known.any(0), known.sum(0), np.nan)
    mean = np.where(known, values, 0).sum(0) / count
    return mean, np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(0) / count)


def _constant(mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return ~(scale > 1e-12 * np.maximum(np.abs(mean), 1.0))
