"""Recurrent layers and a linear readout of every step, or of the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.nn.layers import GRU, LSTM, RNN


@dataclass(frozen=True)
class SequenceModelConfig:
    """Architecture of a `SequenceModel`; the numbers of inputs and outputs come from the data."""

    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    """Which recurrence."""
    hidden_features: int = 32
    """Width of each recurrent layer."""
    num_layers: int = 1
    """Recurrent layers."""
    forget_bias: float = 1.0
    """Initial bias of the LSTM's forget gate."""
    max_timescale: float | None = None
    """Longest dependency, in steps, for the LSTM's chrono initialisation; none is without it."""


class SequenceModel(nnx.Module):
    """Recurrent layers over vectors, and a linear readout: y_t = h_t W + b."""

    def __init__(
        self, in_features: int, out_features: int, config: SequenceModelConfig, *, rngs: nnx.Rngs
    ):
        self.config = config
        cells = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
        if config.cell not in cells:
            raise ValueError(f"cell must be one of {', '.join(cells)}, got {config.cell!r}")
        if config.max_timescale is not None and config.cell != "lstm":
            raise ValueError(f"max_timescale is for the lstm, not for the {config.cell}")
        options = {"forget_bias": config.forget_bias, "max_timescale": config.max_timescale}
        self.recurrent = cells[config.cell](
            in_features,
            config.hidden_features,
            num_layers=config.num_layers,
            rngs=rngs,
            **(options if config.cell == "lstm" else {}),
        )
        lecun = jax.nn.initializers.lecun_normal()
        shape = (config.hidden_features, out_features)
        self.output_kernel = nnx.Param(lecun(rngs.params(), shape))
        self.output_bias = nnx.Param(jnp.zeros(out_features))

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """The state before a sequence, zeros: a tuple over layers, leaves (B, H)."""
        return self.recurrent.initial_state(batch_size)

    def __call__(
        self, xs: Array, state: tuple[Any, ...] | None = None, **options: Any
    ) -> tuple[tuple[Any, ...], Array]:
        """`(final_state, ys)`: y_t of every step, (B, T, O), from xs (B, T, D).

        Args:
            xs: inputs, (B, T, D).
            state: a tuple over layers; zeros if None.
            **options: `lengths`, `mask`, `resets`, `key`, as in `LSTM`.
        """
        final_state, hs = self.recurrent(xs, state, **options)
        return final_state, self.readout(hs)

    def last(
        self, xs: Array, state: tuple[Any, ...] | None = None, **options: Any
    ) -> tuple[tuple[Any, ...], Array]:
        """`(final_state, y)`: y of each row's last valid step, (B, O); arguments as in the call."""
        final_state, _ = self.recurrent(xs, state, **options)
        return final_state, self.readout(final_state[-1].h)

    def readout(self, h: Array) -> Array:
        """y = h W + b, (..., O) from (..., H)."""
        return h @ self.output_kernel[...] + self.output_bias[...]
