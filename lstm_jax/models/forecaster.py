"""A window of a series read to its end, and all that is to come foretold at once."""

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
"""Numbers, at most, in the vector that stands for a category."""


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

        h_1 ... h_T = LSTM(x_1 ... x_T)
        ŷ_1 ... ŷ_horizon = h_T W + b + [x_{T-linear+1} ... x_T] V

    There are `outputs` of each. Where something is known of the future, such as prices, the LSTM
    reads on from h_T, and what it then makes of step k is added to the forecast of that step, by
    one readout U for all steps:

        h_{T+1} ... h_{T+horizon} = LSTM(x_{T+1} ... x_{T+horizon})
        ŷ_k = (h_T W + b + [x_{T-linear+1} ... x_T] V)_k + h_{T+k} U

    Where a series is of categories, such as its shop and its town, the last columns of x are their
    codes; the LSTM reads a learned vector for each in their place, and V does not read them.

    Several outputs are quantiles, if `quantiles`: they are sorted, so that none crosses another
    (Chernozhukov et al. 2010). Else they are given as they are, parameters of a distribution. Where
    `odd`, what is given is (ŷ(x) - ŷ(-x)) / 2, the upper quantile of the one with the lower of the
    other. Dropout is active when a key is passed. A new one says 0 of everything: it is made better
    than that, not first as good.
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
        """Make the model.

        Args:
            in_features: D, what is known of each step.
            window: T, steps read.
            horizon: steps foretold.
            outputs: numbers said of each: 1, or as many as there are quantiles.
            config: the architecture.
            reads_on: whether x goes on over the horizon.
            categories: how many codes there are in each of the last columns.
            quantiles: whether several outputs are quantiles.
            rngs: only read here.

        Raises:
            ValueError: a rate outside [0, 1), fewer than one layer, more rows to map linearly than
                the window has, or an odd one that reads on, has categories, or says no quantiles.
        """
        check_rates(config)
        if config.linear > window:
            raise ValueError(f"linear must be at most the window, {window}, got {config.linear}")
        if config.odd and (reads_on or categories or not quantiles):
            raise ValueError("an odd one reads windows of numbers alone, and says quantiles")
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
        says = horizon * outputs
        self.set_readout(jnp.zeros((config.hidden_features, says)))
        if config.linear:
            self.window_kernel = nnx.Param(jnp.zeros((config.linear * self.numbers, says)))
        if reads_on:
            self.future_kernel = nnx.Param(jnp.zeros((config.hidden_features, outputs)))
        for index, (count, width) in enumerate(zip(self.categories, widths, strict=True)):
            setattr(self, f"embedding_{index}", nnx.Param(lecun(rngs, count, width)))

    @classmethod
    def build(cls, config: ForecasterConfig, description: Json) -> Self:
        """Make a model of the description's `in_features`, `window`, `horizon` and `outputs`, and
        of what else it says of its inputs and outputs; see `Model.build`."""
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
            xs: windows, (B, T, D), or (B, T + horizon, D) if it reads on.
            key: turns dropout on.

        Returns:
            (B, horizon, outputs), the outputs of a step in ascending order if they are quantiles.

        Raises:
            ValueError: other shapes.
        """
        xs = jnp.asarray(xs)
        steps = xs.shape[1] - (self.horizon if self.reads_on else 0) if xs.ndim == 3 else 0
        least = max(self.config.linear, int(self.reads_on))  # what comes goes on from some step
        if xs.ndim == 3 and steps < least:
            on = f" + {self.horizon}" if self.reads_on else ""
            raise ValueError(
                f"xs must be (B, T{on}, D) with T at least {least}, the steps that are mapped "
                f"linearly, got shape {xs.shape}"
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
        """Put a vector for each code."""
        if not self.categories:
            return xs
        codes = xs[..., self.numbers :].astype(jnp.int32)
        vectors = [
            getattr(self, f"embedding_{index}")[...][codes[..., index]]
            for index in range(len(self.categories))
        ]
        return jnp.concatenate([xs[..., : self.numbers], *vectors], -1)
