"""The task of forecasting: a loss over windows, and validation in the unit of the series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from lstm_jax.models import storage
from lstm_jax.models.forecaster import Forecaster
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.data.panels.panel import Panel
from lstm_jax.train.data.panels.windows import Prepared
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.forecasts.baselines import fit_linear
from lstm_jax.train.forecasts.errors import errors
from lstm_jax.train.task import Validate, Validation
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.load import load, prepare_for
from lstm_jax.train.tasks.series.outputs import (
    forecasts_of,
    judged,
    make_predict,
    middle,
    outputs_of,
    targets_of,
)
from lstm_jax.trees import Tree, widened

JUDGED = 4096
"""Maximum number of windows in a validation, for a table of one's own."""


class Sizes(TypedDict):
    """Describe a `Forecaster`: input columns and rows, steps to forecast, outputs per step."""

    in_features: int
    window: int
    horizon: int
    outputs: int


@dataclass(frozen=True)
class SeriesTask:
    """Train a forecaster on windows of one or more series; a `Task`."""

    config: SeriesConfig
    panel: Panel
    prepared: Prepared

    unit = "windows"

    @property
    def description(self) -> str:
        rows = sum(len(series.times) for series in self.panel.series)
        count = len(self.panel.series)
        many = f"{count:,} series, " if count > 1 else ""
        return f"{self.panel.name}: {many}{rows:,} rows, {len(self._moments):,} training windows"

    @property
    def facts(self) -> Mapping[str, str]:
        return {"data": self.panel.name, "data_sha256": self.panel.sha256}

    @property
    def identity(self) -> Mapping[str, str]:
        return {"series": self.panel.sha256}

    def model(self, rngs: nnx.Rngs) -> Forecaster:
        model = Forecaster(**self._sizes, **self._reads, config=self.config.model, rngs=rngs)
        if self.config.data == "own" and self.config.likelihood != "negative-binomial":
            begin_linear(model, self.prepared, self.config)
        return model

    def initial_state(self, model: Forecaster, rows: int) -> Tree:
        return model.initial_state(rows)

    def carry(self, model: Forecaster) -> Tree:
        return ()

    def epoch(self, number: int) -> Epoch:
        moments = self._moments
        random = np.random.default_rng([self.config.seed, number])
        order = random.permutation(len(moments))
        while len(order) < self.config.sample:
            order = np.concatenate([order, random.permutation(len(moments))])
        order = order[: self.config.sample or None]
        total = len(order)
        size = min(self.config.batch, total)

        def make(index: int) -> Batch[np.ndarray]:
            windows = self.prepared.at(moments[order[index * size : (index + 1) * size]])
            weights = windows.weights
            if weights is None and self._missing:  # one shape and one program
                weights = np.ones_like(windows.targets)
            targets = targets_of(self.config, self.prepared, windows)
            return Batch(windows.inputs, targets, weights=weights)

        return Epoch(total // size, make)  # without the incomplete batch at the end

    def loss(
        self, model: Forecaster, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        outputs = widened(model(batch.inputs, key=key))
        return *judged(self.config, outputs, batch.targets, batch.weights), carry

    def figures(self, loss: float) -> Mapping[str, float]:
        return {}

    def validator(self, model: Forecaster) -> Validate:
        ready, config, predict = self.prepared, self.config, make_predict(model)
        at = ready.moments("valid")
        if config.data == "own" and len(at) > JUDGED:
            at = at[np.linspace(0, len(at) - 1, JUDGED).astype(int)]
        windows = ready.at(at)
        targets = targets_of(config, ready, windows)

        def validate(params: nnx.State, step: int) -> Validation:
            del step
            outputs = predict(params, windows.inputs)
            total, count = judged(config, outputs, targets, windows.weights)
            loss = float(total / count)
            point = forecasts_of(config, ready, outputs, at)[..., middle(config)]
            truth = ready.target[at[:, None] + np.arange(1, config.horizon + 1)]
            known = np.isfinite(truth)
            scores = errors(truth[known], point[known])
            unit = f" {self.panel.unit}".rstrip()
            return Validation(
                loss,
                {"valid_mae": scores["mae"], "valid_rmse": scores["rmse"]},
                f"validation MAE {scores['mae']:.4g}{unit}, RMSE {scores['rmse']:.4g}{unit}, "
                f"loss {loss:.4g}",
            )

        return validate

    def save(self, model: Forecaster, folder: Path, card: dict[str, object]) -> None:
        ready = self.prepared
        fields = {
            "columns": list(self.panel.columns),
            "calendar": list(self.config.calendar),
            "predict": ready.predict,
            "read": ready.read,
        }
        scalers = {"scaler": ready.scaler, "target_scaler": ready.target_scaler}
        if self.config.data != "own":
            scalers = {k: Scaler(v.mean[0], v.scale[0]) for k, v in scalers.items()}
        else:
            fields |= {
                "keys": [list(series.key) for series in self.panel.series],
                "levels": [list(levels) for levels in self.panel.levels],
                "masked": list(ready.masked),
                "pad": ready.pad,
            }
        fields |= {name: scaler.to_dict() for name, scaler in scalers.items()}
        storage.save(folder, model, card, self._sizes | self._reads | fields)

    @cached_property
    def _moments(self) -> np.ndarray:
        return self.prepared.moments("train")

    @cached_property
    def _missing(self) -> bool:
        return bool(np.isnan(self.prepared.aims(self._moments)).any())

    @property
    def _sizes(self) -> Sizes:
        return {
            "in_features": self.prepared.features.shape[1],
            "window": self.config.window,
            "horizon": self.config.horizon,
            "outputs": outputs_of(self.config),
        }

    @property
    def _reads(self) -> dict[str, Any]:
        return {
            "reads_on": self.prepared.layout.future > 0,
            "categories": [len(levels) + 1 for levels in self.panel.levels],
            "quantiles": self.config.likelihood == "none",
        }


def begin_linear(model: Forecaster, ready: Prepared, config: SeriesConfig) -> None:
    """Initialize a model with the linear forecast, so that its LSTM learns the rest.

    Args:
        model: a model with a linear part, which is changed in place.
        ready: the series.
        config: configuration of the run.
    """
    if not config.model.linear:
        return
    linear = fit_linear(ready, config.model.linear)
    at = ready.moments("train")
    windows = ready.at(at[:: max(1, len(at) // JUDGED)])
    # A step without any known target counts as predicted exactly.
    residuals = ready.aims(windows.at) - linear(windows.inputs)
    residuals[:, np.isnan(residuals).all(0)] = 0
    kernel = np.zeros((*linear.kernel.shape, model.outputs))
    bias = np.zeros((model.horizon, model.outputs))
    if config.likelihood != "none":
        kernel[..., 0] = linear.kernel
        bias[:, 0] = linear.bias
        bias[:, 1] = np.log(np.expm1(np.maximum(np.nanstd(residuals, 0), 1e-3)))
    elif config.quantiles:
        kernel += linear.kernel[..., None]
        bias += linear.bias[:, None] + np.nanquantile(residuals, config.quantiles, axis=0).T
    else:
        kernel[..., 0], bias[:, 0] = linear.kernel, linear.bias
    size = model.horizon * model.outputs
    model.window_kernel = nnx.Param(jnp.asarray(kernel.reshape(-1, size), jnp.float32))
    model.output_bias = nnx.Param(jnp.asarray(bias.reshape(size), jnp.float32))


def make_series_task(config: SeriesConfig) -> SeriesTask:
    """Load, split and scale a data set of the package.

    Args:
        config: configuration of the run.

    Raises:
        DataError: if data are missing, a column is unknown, or a series is too short or constant.
    """
    loaded = load(config)
    return SeriesTask(config, loaded, prepare_for(config, loaded))
