"""NNX cells of one step, for those who write their own loop: `state, h = cell(state, x)`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax import functional
from lstm_jax.nn.layers import GRU, LSTM, MGU, RNN, Recurrent


class StepCell(nnx.Module):
    """What the cells share: the parameters of one layer, and one step with them.

    Subclasses name the `layer` whose cell they are; options are the layer's.
    """

    layer: type[Recurrent]

    def __init__(
        self, in_features: int, hidden_features: int, *, dtype: Any = None, rngs: nnx.Rngs,
        **options: Any,
    ):  # fmt: skip
        """Make the parameters.

        Args:
            in_features, hidden_features: D and H.
            dtype: of the computation; that of inputs and parameters promoted if None.
            rngs: only read here.
            **options: `param_dtype`, and what the cell and its initialiser have, such as
                `forget_bias`, `peepholes`, `reset_after`, `activation`.

        Raises:
            ValueError, TypeError: options that a single step does not have, or that do not go
                together.
        """
        unknown = options.keys() & WHOLE_SEQUENCES
        if unknown:
            raise ValueError(
                f"{', '.join(sorted(unknown))}: not of a single step; use {self.layer.__name__}"
            )
        made = self.layer(in_features, hidden_features, dtype=dtype, rngs=rngs, **options)
        self.in_features, self.hidden_features = in_features, hidden_features
        self.dtype = dtype
        self.cell = made.cell
        self.weights = made.layers[0]

    @property
    def params(self) -> Any:
        """The parameters, as the step takes them."""
        return self.weights.params

    def __call__(self, state: Any, x: Array) -> tuple[Any, Array]:
        """One step.

        Args:
            state: as `initial_state` gives it, leaves (..., H).
            x: (..., D).

        Returns:
            `(new_state, h)`.

        Raises:
            ValueError: features that do not fit.
        """
        x = x if self.dtype is None else x.astype(self.dtype)
        new = self.cell.step(self._computed(), state, x)
        return new, new.h

    def initial_state(self, *batch: int) -> Any:
        """The zero state, leaves (*batch, H)."""
        params = self._computed()
        like = jnp.zeros((1, *batch, self.in_features), params.input_kernel.dtype)
        return functional.zero_state(self.cell, params, like)

    def _computed(self) -> Any:
        """The parameters in the dtype of the computation."""
        if self.dtype is None:
            return self.params
        return jax.tree.map(lambda a: a.astype(self.dtype), self.params)


WHOLE_SEQUENCES = {
    "num_layers", "bidirectional", "merge", "connections", "dropout", "input_dropout",
    "output_dropout", "variational", "state_dropout", "weight_dropout", "zoneout", "cell_zoneout",
    "learned_initial", "time_major", "unroll", "remat", "cell_dtype", "implementation",
}  # fmt: skip


class LSTMCell(StepCell):
    """One step of the LSTM, `lstm_jax.lstm_step`."""

    layer = LSTM


class GRUCell(StepCell):
    """One step of the GRU, `lstm_jax.gru_step`."""

    layer = GRU


class RNNCell(StepCell):
    """One step of the vanilla RNN, `lstm_jax.rnn_step`."""

    layer = RNN


class MGUCell(StepCell):
    """One step of the minimal gated unit, `lstm_jax.mgu_step`."""

    layer = MGU
