"""Series to forecast: a loss over windows, a validation in the series' unit, and the forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.models import storage
from lstm_jax.models.forecaster import Forecaster
from lstm_jax.train.batch import Batch, Epoch
from lstm_jax.train.data import series
from lstm_jax.train.data.scaler import Scaler
from lstm_jax.train.data.series import Series
from lstm_jax.train.data.windows import Prepared, Windows, prepare
from lstm_jax.train.forecasts.errors import errors, pinball
from lstm_jax.train.task import Validate, Validation, summed
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.trees import Tree

AT_ONCE = 512


def loss_of(outputs: ArrayLike, targets: ArrayLike, quantiles: Sequence[float]) -> Array:
    """Judge forecasts by the pinball loss of quantiles, else by the squared error.

    Args:
        outputs: (B, H, Q), of Q quantiles, or one.
        targets: (B, H).
        quantiles: Q of them; none for the mean.

    Returns:
        The loss of each window, (B,).
    """
    outputs = jnp.asarray(outputs)
    if quantiles:
        return pinball(targets, outputs, quantiles).mean((1, 2))
    return jnp.square(outputs[..., 0] - targets).mean(1)


def make_predict(model: Forecaster) -> Callable[[nnx.State, np.ndarray], np.ndarray]:
    """Make `predict(params, inputs (N, W, D)) -> scaled outputs (N, H, Q)`, compiled once.

    Args:
        model: whose structure the parameters have.
    """
    graph = nnx.graphdef(model)

    @jax.jit
    def outputs(params: nnx.State, inputs: Array) -> Array:
        return nnx.merge(graph, params)(inputs)

    def predict(params: nnx.State, inputs: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(inputs), AT_ONCE):
            some = inputs[start : start + AT_ONCE]
            # The last few are filled up, so that there is one shape and one program.
            filled = np.resize(some, (min(AT_ONCE, len(inputs)), *some.shape[1:]))
            found.append(np.asarray(outputs(params, filled))[: len(some)])
        return np.concatenate(found)

    return predict


class Sizes(TypedDict):
    """Of a `Forecaster`: columns and rows read, steps foretold, and outputs for each."""

    in_features: int
    window: int
    horizon: int
    outputs: int


@dataclass(frozen=True)
class SeriesTask:
    """Windows of a series; a `Task`."""

    config: SeriesConfig
    series: Series
    prepared: Prepared

    unit = "windows"

    @property
    def description(self) -> str:
        windows, rows = len(self.prepared.moments("train")), len(self.series.times)
        return f"{self.config.data}: {rows:,} rows, {windows:,} training windows"

    @property
    def facts(self) -> Mapping[str, str]:
        return {"data": self.config.data, "data_sha256": self.series.sha256}

    @property
    def identity(self) -> Mapping[str, str]:
        return {"series": self.series.sha256}

    def model(self, rngs: nnx.Rngs) -> Forecaster:
        return Forecaster(**self._sizes, config=self.config.model, rngs=rngs)

    def initial_state(self, model: Forecaster, rows: int) -> Tree:
        return model.initial_state(rows)

    def carry(self, model: Forecaster) -> Tree:
        return ()

    def epoch(self, number: int) -> Epoch:
        windows = self.prepared.windows("train")
        total = len(windows.at)
        size = min(self.config.batch, total)
        order = np.random.default_rng([self.config.seed, number]).permutation(total)

        def make(index: int) -> Batch[np.ndarray]:
            chosen = order[index * size : (index + 1) * size]
            return Batch(windows.inputs[chosen], windows.targets[chosen])

        return Epoch(total // size, make)  # those left over at the end are left out

    def loss(
        self, model: Forecaster, carry: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, Array, Tree]:
        losses = loss_of(model(batch.inputs, key=key), batch.targets, self.config.quantiles)
        return *summed(losses), carry

    def figures(self, loss: float) -> Mapping[str, float]:
        return {}

    def validator(self, model: Forecaster) -> Validate:
        predict, windows = make_predict(model), self.prepared.windows("valid")

        def validate(params: nnx.State, step: int) -> Validation:
            del step
            outputs = predict(params, windows.inputs)
            loss = float(loss_of(outputs, windows.targets, self.config.quantiles).mean())
            point = outputs[..., middle(self.config)]
            found = errors(*self._in_units(windows, point))
            unit = f" {self.series.unit}".rstrip()
            return Validation(
                loss,
                {"valid_mae": found["mae"], "valid_rmse": found["rmse"]},
                f"validation MAE {found['mae']:.4g}{unit}, RMSE {found['rmse']:.4g}{unit}, "
                f"loss {loss:.4g}",
            )

        return validate

    def save(self, model: Forecaster, folder: Path, card: dict[str, object]) -> None:
        ready = self.prepared
        own = {
            "columns": list(self.series.columns),
            "calendar": list(self.config.calendar),
            "predict": ready.predict,
            "read": ready.read,
            "scaler": ready.scaler.to_dict(),
            "target_scaler": ready.target_scaler.to_dict(),
        }
        storage.save(folder, model, card, self._sizes | own)

    @property
    def _sizes(self) -> Sizes:
        return {
            "in_features": self.prepared.features.shape[1],
            "window": self.config.window,
            "horizon": self.config.horizon,
            "outputs": max(len(self.config.quantiles), 1),
        }

    def _in_units(self, windows: Windows, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        steps = windows.at[:, None] + np.arange(1, self.config.horizon + 1)
        return self.prepared.target[steps], self.prepared.restore(point, windows.at)


def middle(config: SeriesConfig) -> int:
    """Say which output is the point forecast: the median, or the only one."""
    return len(config.quantiles) // 2


def make_series_task(config: SeriesConfig) -> SeriesTask:
    """Load, split and scale.

    Args:
        config: of the run.

    Raises:
        DataError: data that is missing, an unknown column, a series too short or constant.
    """
    loaded = load(config)
    return SeriesTask(config, loaded, prepare_for(config, loaded))


def load(config: SeriesConfig) -> Series:
    """Load the columns that a configuration reads, the target's first.

    Args:
        config: of the run.

    Raises:
        DataError: data that is missing, or an unknown column.
    """
    columns = (config.target, *config.inputs)
    return series.load(config.data, columns, noise=config.noise, seed=config.seed)


def prepare_for(
    config: SeriesConfig, loaded: Series, fitted: tuple[Scaler, Scaler] | None = None
) -> Prepared:
    """Make a series ready as a configuration wants it.

    Args:
        config: of the run.
        loaded: what `load` gives.
        fitted: the scalers of columns and of targets; they are fitted if None.

    Raises:
        DataError: a series too short or constant.
    """
    return prepare(
        loaded,
        predict=config.predict,
        read=config.read,
        centred=not config.model.odd,
        window=config.window,
        horizon=config.horizon,
        valid=config.valid,
        test=config.test,
        calendar=config.calendar,
        fitted=fitted,
    )


def make_roll(
    model: Forecaster, prepared: Prepared, steps: int, output: int
) -> Callable[[nnx.State, np.ndarray], np.ndarray]:
    """Make `roll(params, at (N,)) -> (N, steps)`, in the target's unit: forecasts are read in turn.

    Of the model's forecasts only the next step's is taken; the window then moves on by one row, in
    which it stands as if it had been seen. The calendar of that row is known.

    Args:
        model: whose structure the parameters have.
        prepared: the series, its first column the only one beside the calendar.
        steps: to roll on.
        output: which of the model's outputs is read.
    """
    graph = nnx.graphdef(model)
    mean, scale = prepared.scaler.mean[0], prepared.scaler.scale[0]
    aimed = prepared.target_scaler

    @jax.jit
    def rolled(params, window, last, known):
        network = nnx.merge(graph, params)

        def step(carry, row):
            window, last = carry
            said = network(window)[:, 0, output] * aimed.scale[0] + aimed.mean[0]
            value = last + said if prepared.predict == "change" else said
            read = value - last if prepared.read == "change" else value
            row = jnp.concatenate([((read - mean) / scale)[:, None], row], 1)[:, None]
            return (jnp.concatenate([window[:, 1:], row], 1), value), value

        return jax.lax.scan(step, (window, last), known)[1].T

    def roll(params: nnx.State, at: np.ndarray) -> np.ndarray:
        rows = at + np.arange(1, steps + 1)[:, None]
        known = prepared.features[rows, 1:]  # (steps, N, D - 1)
        last = prepared.target[at].astype(np.float32)
        return np.asarray(rolled(params, prepared.inputs(at), last, known), np.float64)

    return roll
