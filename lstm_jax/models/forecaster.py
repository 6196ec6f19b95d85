"""A model that reads a window of a series and predicts the whole horizon at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.cells import LSTMState
from lstm_jax.models.base import Json, ReadoutModel, between_layers, check_rates, lecun, split
from lstm_jax.nn.layers import LSTM
from lstm_jax.regularize import dropout

EMBEDDED = 8
"""Maximum width of the embedding of a category."""


@dataclass(frozen=True)
class ForecasterConfig:
    """Configure a `Forecaster`; inputs, horizon and quantiles come from the task."""

    hidden_features: int = 32
    """Width of each LSTM layer."""
    num_layers: int = 1
    """Number of LSTM layers."""
    layer_dropout: float = 0.0
    """Dropout rate between LSTM layers."""
    output_dropout: float = 0.0
    """Dropout rate on the LSTM's output."""
    linear: int = 0
    """Rows at the end of the window for a linear map in parallel to the LSTM (Lai et al. 2018)."""
    odd: bool = False
    """Negate the forecast when the window is negated; for changes without a drift."""


class Forecaster(ReadoutModel[ForecasterConfig]):
    """Read a window with LSTM layers, and predict every step of the horizon by a linear readout.

        h_1 ... h_T = LSTM(x_1 ... x_T)
        ŷ_1 ... ŷ_horizon = h_T W + b + [x_{T-linear+1} ... x_T] V

    Each step has `outputs` numbers. If some inputs of the future are known, such as prices, the
    LSTM reads on from h_T, and one readout U for all steps adds its output at step k to the
    forecast of that step:

        h_{T+1} ... h_{T+horizon} = LSTM(x_{T+1} ... x_{T+horizon})
        ŷ_k = (h_T W + b + [x_{T-linear+1} ... x_T] V)_k + h_{T+k} U

    If a series belongs to categories, such as its shop and its town, the last columns of x are
    their codes. The LSTM reads a learned vector for each code, and V does not read them.

    With `quantiles`, several outputs are quantiles, and are sorted so that they do not cross
    (Chernozhukov et al. 2010). Otherwise they are the parameters of a distribution. If `odd`, the
    forecast is (ŷ(x) - ŷ(-x)) / 2, where an upper quantile of one is paired with the lower quantile
    of the other. Dropout is active only when a key is passed. A model that has just been created
    predicts zeros, so any trained model counts as an improvement.
    """

    config_type = ForecasterConfig

    def __init__(
        self,
        in_features: int,
        window: int,
        horizon: int,
        outputs: int,
        config: ForecasterConfig,
        *,
        reads_on: bool = False,
        categories: Sequence[int] = (),
        quantiles: bool = True,
        rngs: nnx.Rngs,
    ):
        """Initialize the model.

        Args:
            in_features: D, the inputs of each step.
            window: T, the steps to read.
            horizon: the steps to predict.
            outputs: numbers predicted for each step: 1, or the number of quantiles.
            config: the architecture.
            reads_on: whether x continues over the horizon.
            categories: number of codes in each of the last columns.
            quantiles: whether several outputs are quantiles.
            rngs: random numbers for the initial parameters; not kept.

        Raises:
            ValueError: if a rate is outside [0, 1), there is not at least one layer, the linear map
                is longer than the window, or an odd model has known future inputs, categories or
                outputs other than quantiles.
        """
        check_rates(config)
        if config.linear > window:
            raise ValueError(f"linear must be at most the window, {window}, got {config.linear}")
        if config.odd and (reads_on or categories or not quantiles):
            raise ValueError(
                "odd=True needs windows of numbers alone, and outputs that are quantiles"
            )
        self.config, self.window, self.horizon, self.outputs = config, window, horizon, outputs
        self.reads_on, self.categories, self.quantiles = reads_on, tuple(categories), quantiles
        self.numbers = in_features - len(self.categories)
        widths = [min(EMBEDDED, count) for count in self.categories]
        self.lstm = LSTM(
            self.numbers + sum(widths),
            config.hidden_features,
            num_layers=config.num_layers,
            dropout=between_layers(config.layer_dropout, config.num_layers),
            rngs=rngs,
        )
        predicted = horizon * outputs
        self.set_readout(jnp.zeros((config.hidden_features, predicted)))
        if config.linear:
            self.window_kernel = nnx.Param(jnp.zeros((config.linear * self.numbers, predicted)))
        if reads_on:
            self.future_kernel = nnx.Param(jnp.zeros((config.hidden_features, outputs)))
        for index, (count, width) in enumerate(zip(self.categories, widths, strict=True)):
            setattr(self, f"embedding_{index}", nnx.Param(lecun(rngs, count, width)))

    @classmethod
    def build(cls, config: ForecasterConfig, description: Json) -> Self:
        """Build a model for the inputs and outputs of the description; see `Model.build`."""
        return cls(
            description["in_features"],
            description["window"],
            description["horizon"],
            description["outputs"],
            config,
            reads_on=description.get("reads_on", False),
            categories=description.get("categories", ()),
            quantiles=description.get("quantiles", True),
            rngs=nnx.Rngs(0),
        )

    def initial_state(self, batch_size: int) -> tuple[LSTMState, ...]:
        """Return the zero state before a window.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers, leaves (B, H), or (2B, H) if odd.
        """
        return self.lstm.initial_state((2 if self.config.odd else 1) * batch_size)

    def __call__(self, xs: Array, *, key: Array | None = None) -> Array:
        """Predict the steps after each window.

        Args:
            xs: windows, (B, T, D), or (B, T + horizon, D) with known future inputs.
            key: a `jax.random` key that turns dropout on.

        Returns:
            (B, horizon, outputs); the quantiles of a step are in ascending order.

        Raises:
            ValueError: if the shape does not fit.
        """
        xs = jnp.asarray(xs)
        steps = xs.shape[1] - (self.horizon if self.reads_on else 0) if xs.ndim == 3 else 0
        minimum = max(self.config.linear, int(self.reads_on))  # the future follows some step
        if xs.ndim == 3 and steps < minimum:
            future = f" + {self.horizon}" if self.reads_on else ""
            raise ValueError(
                f"xs must be (B, T{future}, D) with T at least {minimum}, the steps of the linear "
                f"map, got shape {xs.shape}"
            )
        if not self.config.odd:
            return self._read(xs, key)
        ys, mirrored = jnp.split(self._read(jnp.concatenate([xs, -xs]), key), 2)
        return (ys - mirrored[..., ::-1]) / 2

    def _read(self, xs: Array, key: Array | None) -> Array:
        keys = split(key, 2)
        numbers = xs[..., : self.numbers]
        final, hs = self.lstm(self._embed(xs), key=keys[0])
        if self.reads_on:
            hs = dropout(keys[1], hs[:, -self.horizon - 1 :], self.config.output_dropout)
            ys = self.readout(hs[:, 0])
            ys += (hs[:, 1:] @ self.future_kernel[...]).reshape(ys.shape)
            numbers = numbers[:, : -self.horizon]
        else:
            ys = self.readout(dropout(keys[1], final[-1].h, self.config.output_dropout))
        if self.config.linear:
            kernel = self.window_kernel[...]
            end = numbers[:, -self.config.linear :]
            ys += end.reshape(len(xs), kernel.shape[0]) @ kernel
        ys = ys.reshape(len(xs), self.horizon, self.outputs)
        return jnp.sort(ys, axis=-1) if self.quantiles else ys

    def _embed(self, xs: Array) -> Array:
        """Replace each code by its vector."""
        if not self.categories:
            return xs
        codes = xs[..., self.numbers :].astype(jnp.int32)
        vectors = [
            getattr(self, f"embedding_{index}")[...][codes[..., index]]
            for index in range(len(self.categories))
        ]
        return jnp.concatenate([xs[..., : self.numbers], *vectors], -1)
