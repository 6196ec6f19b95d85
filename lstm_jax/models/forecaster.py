"""A window of a series read to its end, and all that is to come foretold at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.cells import LSTMState
from lstm_jax.models.base import Json, ReadoutModel, check_rates, split
from lstm_jax.nn.layers import LSTM
from lstm_jax.regularize import dropout


@dataclass(frozen=True)
class ForecasterConfig:
    """Architecture of a `Forecaster`; inputs, horizon and quantiles come from the task."""

    hidden_features: int = 32
    """Width of each LSTM layer."""
    num_layers: int = 1
    """LSTM layers."""
    layer_dropout: float = 0.0
    """Dropout rate between LSTM layers."""
    output_dropout: float = 0.0
    """Dropout rate on what the readout sees of the LSTM."""
    linear: int = 0
    """Rows at the window's end that are mapped linearly beside the LSTM (Lai et al. 2018)."""
    odd: bool = False
    """Of the window upside down, say the same upside down: for changes without a drift."""


class Forecaster(ReadoutModel[ForecasterConfig]):
    """Read a window with LSTM layers, and foretell every step of the horizon by a linear readout.

        h = LSTM(x_1 ... x_T)      ŷ_1 ... ŷ_horizon = h W + b + [x_{T-linear+1} ... x_T] V

    There are `outputs` of each. Several outputs are quantiles: they are sorted, so that none
    crosses another (Chernozhukov et al. 2010). Where `odd`, what is given is (ŷ(x) - ŷ(-x)) / 2,
    the upper quantile of the one with the lower of the other. Dropout is active when a key is
    passed. A new one says 0 of everything: it is made better than that, not first as good.
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
        rngs: nnx.Rngs,
    ):
        """Make the model.

        Args:
            in_features: D, what is known of each step.
            window: T, steps read.
            horizon: steps foretold.
            outputs: numbers said of each: 1, or as many as there are quantiles.
            config: the architecture.
            rngs: only read here.

        Raises:
            ValueError: a rate outside [0, 1), fewer than one layer, or more rows to map linearly
                than the window has.
        """
        check_rates(config)
        self.config, self.horizon, self.outputs = config, horizon, outputs
        self.lstm = LSTM(
            in_features,
            config.hidden_features,
            num_layers=config.num_layers,
            dropout=config.layer_dropout,
            rngs=rngs,
        )
        if config.linear > window:
            raise ValueError(f"linear must be at most the window, {window}, got {config.linear}")
        says = horizon * outputs
        self.set_readout(jnp.zeros((config.hidden_features, says)))
        if config.linear:
            self.window_kernel = nnx.Param(jnp.zeros((config.linear * in_features, says)))

    @classmethod
    def build(cls, config: ForecasterConfig, description: Json) -> Self:
        """Make a model of the description's `in_features`, `window`, `horizon` and `outputs`; see
        `Model.build`."""
        return cls(
            description["in_features"],
            description["window"],
            description["horizon"],
            description["outputs"],
            config,
            rngs=nnx.Rngs(0),
        )

    def initial_state(self, batch_size: int) -> tuple[LSTMState, ...]:
        """Give the state before a window, zeros.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers, leaves (B, H), or (2B, H) if odd.
        """
        return self.lstm.initial_state((2 if self.config.odd else 1) * batch_size)

    def __call__(self, xs: Array, *, key: Array | None = None) -> Array:
        """Foretell what comes after each window.

        Args:
            xs: windows, (B, T, D).
            key: turns dropout on.

        Returns:
            (B, horizon, outputs), the outputs of a step in ascending order.

        Raises:
            ValueError: other shapes.
        """
        xs = jnp.asarray(xs)
        if xs.ndim == 3 and xs.shape[1] < self.config.linear:
            raise ValueError(
                f"xs must be (B, T, D) with T at least {self.config.linear}, the steps that are "
                f"mapped linearly, got shape {xs.shape}"
            )
        if not self.config.odd:
            return self._read(xs, key)
        ys, mirrored = jnp.split(self._read(jnp.concatenate([xs, -xs]), key), 2)
        return (ys - mirrored[..., ::-1]) / 2

    def _read(self, xs: Array, key: Array | None) -> Array:
        keys = split(key, 2)
        final, _ = self.lstm(xs, key=keys[0])
        h = dropout(keys[1], final[-1].h, self.config.output_dropout)
        ys = self.readout(h)
        if self.config.linear:
            kernel = self.window_kernel[...]
            end = xs[:, -self.config.linear :]
            ys += end.reshape(len(xs), kernel.shape[0]) @ kernel
        return jnp.sort(ys.reshape(len(xs), self.horizon, self.outputs), axis=-1)
