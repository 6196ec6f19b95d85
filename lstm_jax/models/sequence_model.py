"""A model with recurrent layers and a linear readout of every step, or of the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import jax
from flax import nnx
from jax import Array

from lstm_jax.models.base import Json, ReadoutModel, lecun
from lstm_jax.nn.layers import GRU, LSTM, RNN
from lstm_jax.trees import Tree
from lstm_jax.unitary import unitary

UNITARY_READOUT = 20.0  # times the usual kernel, because the states of a unitary LSTM are small


@dataclass(frozen=True)
class SequenceModelConfig:
    """Configure a `SequenceModel`; the numbers of inputs and outputs come from the data."""

    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    """Kind of the recurrent layers."""
    hidden_features: int = 32
    """Width of each recurrent layer."""
    num_layers: int = 1
    """Number of recurrent layers."""
    forget_bias: float = 1.0
    """Initial bias of the LSTM's forget gate."""
    max_timescale: float | None = None
    """Longest dependency, in steps, for the LSTM's chrono initialization; None turns it off."""
    unitary: bool = False
    """Initialize the LSTM as a nearly linear, orthogonal recurrence; see lstm_jax.unitary."""


class SequenceModel(ReadoutModel[SequenceModelConfig]):
    """Read vectors with recurrent layers, and compute y_t = h_t W + b."""

    config_type = SequenceModelConfig

    def __init__(
        self, in_features: int, out_features: int, config: SequenceModelConfig, *, rngs: nnx.Rngs
    ):
        """Initialize the model.

        Args:
            in_features: D.
            out_features: O.
            config: the architecture.
            rngs: random numbers for the initial parameters; not kept.

        Raises:
            ValueError: if the cell is unknown, a timescale is set for another cell than the LSTM,
                or there is not at least one layer.
        """
        self.config = config
        cells = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
        if config.cell not in cells:
            raise ValueError(f"cell must be one of {', '.join(cells)}, got {config.cell!r}")
        if config.max_timescale is not None and config.cell != "lstm":
            raise ValueError(f"max_timescale needs the lstm cell, got {config.cell}")
        if config.unitary and (config.cell != "lstm" or config.max_timescale is not None):
            raise ValueError("unitary needs the lstm cell, and max_timescale None")
        sizes = (in_features, config.hidden_features)
        if config.cell == "lstm":
            self.recurrent = LSTM(
                *sizes,
                num_layers=config.num_layers,
                forget_bias=config.forget_bias,
                max_timescale=config.max_timescale,
                rngs=rngs,
            )
        else:
            self.recurrent = cells[config.cell](*sizes, num_layers=config.num_layers, rngs=rngs)
        kernel = lecun(rngs, config.hidden_features, out_features)
        if config.unitary:
            keys = jax.random.split(rngs.params(), config.num_layers)
            layers = zip(keys, self.recurrent.params, strict=True)
            self.recurrent.params = [unitary(key, params) for key, params in layers]
            kernel *= UNITARY_READOUT
        self.set_readout(kernel)

    @classmethod
    def build(cls, config: SequenceModelConfig, description: Json) -> Self:
        """Build a model for the sizes of the description; see `Model.build`."""
        sizes = description["in_features"], description["out_features"]
        return cls(*sizes, config, rngs=nnx.Rngs(0))

    def initial_state(self, batch_size: int) -> tuple[Tree, ...]:
        """Return the zero state before a sequence.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers of the cell's states, leaves (B, H).
        """
        return self.recurrent.initial_state(batch_size)

    def __call__(
        self,
        xs: Array,
        state: tuple[Tree, ...] | None = None,
        *,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[Tree, ...], Array]:
        """Compute the output of every step.

        Args:
            xs: inputs, (B, T, D).
            state: a tuple over layers, leaves (B, H); zeros if None.
            lengths: (B,) valid steps of each row; all if None.
            mask: (B, T) booleans, True where valid; all if None.
            resets: (B, T) booleans, True where a new sequence begins.
            key: passed to the layers, which have no noise.

        Returns:
            `(final_state, ys)`: ys (B, T, O).

        Raises:
            ValueError: if shapes do not fit.
        """
        final_state, hs = self.recurrent(
            xs, state, lengths=lengths, mask=mask, resets=resets, key=key
        )
        return final_state, self.readout(hs)

    def last(
        self,
        xs: Array,
        state: tuple[Tree, ...] | None = None,
        *,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[Tree, ...], Array]:
        """Compute the output of the last valid step of each row.

        Args:
            xs, state, lengths, mask, resets, key: as in the call.

        Returns:
            `(final_state, y)`: y (B, O).

        Raises:
            ValueError: if shapes do not fit.
        """
        final_state, _ = self.recurrent(
            xs, state, lengths=lengths, mask=mask, resets=resets, key=key
        )
        return final_state, self.readout(final_state[-1].h)
