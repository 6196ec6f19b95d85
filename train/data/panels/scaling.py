"""The scalers of each series: fitted to its training rows, or taken from an earlier fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.windows import aim
from lstm_jax.train.data.scaler import Scaler


class Fitted(NamedTuple):
    """Store the results of fitting to the training rows.

    `scaler` (S, C) and `target_scaler` (S, 1) are NaN for series that have not been fitted;
    `masked` are the columns that have a mask of missing values among the features.
    """

    scaler: Scaler
    target_scaler: Scaler
    masked: tuple[int, ...] = ()


def fit_scaler(values: np.ndarray, names: Sequence[str], *, centered: bool = True) -> Scaler:
    """Fit the mean and standard deviation of columns.

    Args:
        values: (N, D).
        names: names of the columns, for errors.
        centered: if False, use 0 for the mean, which keeps the sign of a value.

    Raises:
        DataError: if a column is constant.
    """
    mean, scale = _moments(values)
    for name, constant, size in zip(names, _constant(mean, scale), np.abs(mean), strict=True):
        if constant:
            raise DataError(
                f"{name} is constant in the training part ({size:g}): there is nothing to learn "
                "from it; leave it out or use a longer series"
            )
    return Scaler(mean if centered else np.zeros_like(mean), scale)


def fit_scalers(
    parts: Sequence[np.ndarray], names: Sequence[str], *, centered: bool = True, before: Scaler
) -> Scaler:
    """Fit a scaler to each of several series.

    A column that is constant or missing in one series gets the median of its scales in the other
    series. A column that is constant in every series, such as a price that differs between them,
    gets its scale over all series together.

    Args:
        parts: the values (N, D) of each series, NaN where missing.
        names: names of the columns, for errors.
        centered: as in `fit_scaler`.
        before: (S, D), the earlier fit; NaN in the rows of series that must be fitted now.

    Returns:
        The scalers of all series, (S, D).

    Raises:
        DataError: if a column is constant over all series together.
    """
    new = np.isnan(before.scale).any(1)
    if not new.any():
        return before
    if len(parts) == 1 and not np.isnan(parts[0]).any():
        fit = fit_scaler(parts[0], names, centered=centered)
        return Scaler(fit.mean[None], fit.scale[None])
    mean, scale = before.mean.copy(), before.scale.copy()
    for index in np.flatnonzero(new).tolist():
        mean[index], deviation = _moments(parts[index])
        scale[index] = np.where(_constant(mean[index], deviation), np.nan, deviation)
    for column in np.flatnonzero(np.isnan(scale).all(0)).tolist():
        whole = np.concatenate([part[:, [column]] for part in parts])
        fit = fit_scaler(whole[np.isfinite(whole)][:, None], [names[column]], centered=centered)
        scale[:, column] = fit.scale[0]
    scale = np.where(np.isnan(scale), np.nanmedian(scale, axis=0), scale)
    return Scaler(np.nan_to_num(mean) if centered else np.zeros_like(mean), scale)


def aims_of(
    values: np.ndarray, filled: np.ndarray, predict: str, window: int, horizon: int, pad: int
) -> np.ndarray:
    """Compute the targets in the training rows of a series, (N, 1), to fit a scaler to them.

    Args:
        values, filled: (N,), the target in the training rows, after `pad` rows of padding.
        predict: see `aim`.
        window, horizon, pad: as in `prepare`.
    """
    at = np.arange(max(window, pad + 1) - 1, len(values) - horizon)
    if not len(at):  # too few rows for a whole window, so horizons may be cut short
        at = np.arange(pad, len(values) - 1)
        values = np.pad(values, (0, horizon), constant_values=np.nan)
    if not len(at):
        return np.empty((0, 1))
    return aim(predict, values, filled, at, horizon).reshape(-1, 1)


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the known values of each column, NaN if none is."""
    if len(values) and not np.isnan(values).any():
        return values.mean(0), values.std(0)
    known = np.isfinite(values)
    count = np.where(known.any(0), known.sum(0), np.nan)
    mean = np.where(known, values, 0).sum(0) / count
    return mean, np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(0) / count)


def _constant(mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return ~(scale > 1e-12 * np.maximum(np.abs(mean), 1.0))
