"""A window of a series read to its end, and all that is to come foretold at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.nn.layers import LSTM
from lstm_jax.regularize import check_rate, dropout


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


class Forecaster(nnx.Module):
    """LSTM layers over a window, and a linear readout of every step of the horizon.

        h = LSTM(x_1 ... x_T)      ŷ_1 ... ŷ_horizon = h W + b + [x_{T-linear+1} ... x_T] V

    There are `outputs` of each. Several outputs are quantiles: they are sorted, so that none
    crosses another (Chernozhukov et al. 2010). Where `odd`, what is given is (ŷ(x) - ŷ(-x)) / 2,
    the upper quantile of the one with the lower of the other. Dropout is active when a key is
    passed. A new one says 0 of everything: it is made better than that, not first as good.
    """

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
        for name in ("layer_dropout", "output_dropout"):
            check_rate(name, getattr(config, name))
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
        self.output_kernel = nnx.Param(jnp.zeros((config.hidden_features, says)))
        self.output_bias = nnx.Param(jnp.zeros(says))
        if config.linear:
            self.window_kernel = nnx.Param(jnp.zeros((config.linear * in_features, says)))

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """Zeros: a tuple over layers, leaves (B, H), or (2B, H) if odd."""
        return self.lstm.initial_state((2 if self.config.odd else 1) * batch_size)

    def __call__(self, xs: Array, *, key: Array | None = None) -> Array:
        """What comes after each window, (B, horizon, outputs), from xs (B, T, D)."""
        xs = jnp.asarray(xs)
        if not self.config.odd:
            return self._read(xs, key)
        ys, mirrored = jnp.split(self._read(jnp.concatenate([xs, -xs]), key), 2)
        return (ys - mirrored[..., ::-1]) / 2

    def _read(self, xs: Array, key: Array | None) -> Array:
        keys = (None, None) if key is None else jax.random.split(key)
        final, _ = self.lstm(xs, key=keys[0])
        h = dropout(keys[1], final[-1].h, self.config.output_dropout)
        ys = h @ self.output_kernel[...] + self.output_bias[...]
        if self.config.linear:
            end = xs[:, -self.config.linear :]
            ys += end.reshape(len(xs), -1) @ self.window_kernel[...]
        return jnp.sort(ys.reshape(len(xs), self.horizon, self.outputs), axis=-1)
