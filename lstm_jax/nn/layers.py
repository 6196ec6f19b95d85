"""The package's layers and cells of one step: each names its cell, and what may be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, Unpack

import jax.numpy as jnp
from flax import nnx

from lstm_jax import functional
from lstm_jax.cells import TEXTBOOK, Activation, LSTMActivations
from lstm_jax.initializers import (
    ConvLSTMInitOptions,
    GRUInitOptions,
    InitOptions,
    LSTMInitOptions,
)
from lstm_jax.named import bound
from lstm_jax.nn.records import check_layers, window_of
from lstm_jax.nn.recurrent import LayerOptions, Recurrent
from lstm_jax.nn.steps import StepCell, StepOptions
from lstm_jax.trees import Tree


class LSTMOptions(LayerOptions, LSTMInitOptions, total=False):
    """Options of `LSTM`: those of `Recurrent` and of `init_lstm`."""


class LSTMCellOptions(StepOptions, LSTMInitOptions, total=False):
    """Options of `LSTMCell`: those of `StepCell` and of `init_lstm`."""


class GRUOptions(LayerOptions, GRUInitOptions, total=False):
    """Options of `GRU`: those of `Recurrent` and of `init_gru`."""


class GRUCellOptions(StepOptions, GRUInitOptions, total=False):
    """Options of `GRUCell`: those of `StepCell` and of `init_gru`."""


class SimpleOptions(LayerOptions, InitOptions, total=False):
    """Options of `RNN` and `MGU`: those of `Recurrent`, and `bias` and `preset`."""


class SimpleCellOptions(StepOptions, InitOptions, total=False):
    """Options of `RNNCell` and `MGUCell`: those of `StepCell`, and `bias` and `preset`."""


class ConvLSTMOptions(LayerOptions, ConvLSTMInitOptions, total=False):
    """Options of `ConvLSTM`: those of `Recurrent` and of `lstm_jax.conv.init_conv_lstm`."""


class ConvLSTMCellOptions(StepOptions, ConvLSTMInitOptions, total=False):
    """Options of `ConvLSTMCell`: those of `StepCell` and of `lstm_jax.conv.init_conv_lstm`."""


class LSTM(Recurrent):
    """Stacked LSTM. Equations in `lstm_jax.lstm_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activations: LSTMActivations = TEXTBOOK,
        rngs: nnx.Rngs,
        **options: Unpack[LSTMOptions],
    ):
        """Make the layers.

        Args:
            in_features, hidden_features: D and H.
            activations: in place of σ and tanh.
            rngs: only read here.
            **options: as in `Recurrent`, and of `lstm_jax.init_lstm`.

        Raises:
            TypeError, ValueError: as `Recurrent`.
        """
        cell = functional.lstm_cell(activations)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @property
    def activations(self) -> LSTMActivations:
        """Its functions, σ and tanh or those in their place."""
        return bound(self.base_cell.step, "activations", TEXTBOOK)


class LSTMCell(StepCell):
    """One step of the LSTM, `lstm_jax.lstm_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activations: LSTMActivations = TEXTBOOK,
        rngs: nnx.Rngs,
        **options: Unpack[LSTMCellOptions],
    ):
        """Make the parameters.

        Args:
            in_features, hidden_features: D and H.
            activations: in place of σ and tanh.
            rngs: only read here.
            **options: as in `StepCell`, and of `lstm_jax.init_lstm`.

        Raises:
            TypeError, ValueError: as `StepCell`.
        """
        cell = functional.lstm_cell(activations)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class GRU(Recurrent):
    """Stacked GRU. Equations in `lstm_jax.gru_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        reset_after: bool = True,
        rngs: nnx.Rngs,
        **options: Unpack[GRUOptions],
    ):
        """Make the layers.

        Args:
            in_features, hidden_features: D and H.
            reset_after: which of the two variants.
            rngs: only read here.
            **options: as in `Recurrent`, and of `lstm_jax.init_gru`.

        Raises:
            TypeError, ValueError: as `Recurrent`.
        """
        self.reset_after = reset_after
        cell = functional.gru_cell(reset_after)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class GRUCell(StepCell):
    """One step of the GRU, `lstm_jax.gru_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        reset_after: bool = True,
        rngs: nnx.Rngs,
        **options: Unpack[GRUCellOptions],
    ):
        """Make the parameters.

        Args:
            in_features, hidden_features: D and H.
            reset_after: which of the two variants.
            rngs: only read here.
            **options: as in `StepCell`, and of `lstm_jax.init_gru`.

        Raises:
            TypeError, ValueError: as `StepCell`.
        """
        cell = functional.gru_cell(reset_after)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class RNN(Recurrent):
    """Stacked vanilla RNN. Equation in `lstm_jax.rnn_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activation: Activation = jnp.tanh,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleOptions],
    ):
        """Make the layers.

        Args:
            in_features, hidden_features: D and H.
            activation: in place of tanh.
            rngs: only read here.
            **options: as in `Recurrent`, and of `lstm_jax.init_rnn`.

        Raises:
            TypeError, ValueError: as `Recurrent`.
        """
        cell = functional.rnn_cell(activation)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @property
    def activation(self) -> Activation:
        """Its function, tanh or the one in its place."""
        return bound(self.base_cell.step, "activation", jnp.tanh)


class RNNCell(StepCell):
    """One step of the vanilla RNN, `lstm_jax.rnn_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activation: Activation = jnp.tanh,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleCellOptions],
    ):
        """Make the parameters.

        Args:
            in_features, hidden_features: D and H.
            activation: in place of tanh.
            rngs: only read here.
            **options: as in `StepCell`, and of `lstm_jax.init_rnn`.

        Raises:
            TypeError, ValueError: as `StepCell`.
        """
        cell = functional.rnn_cell(activation)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class MGU(Recurrent):
    """Stacked minimal gated unit. Equations in `lstm_jax.mgu_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleOptions],
    ):
        """Make the layers.

        Args:
            in_features, hidden_features: D and H.
            rngs: only read here.
            **options: as in `Recurrent`, and of `lstm_jax.init_mgu`.

        Raises:
            TypeError, ValueError: as `Recurrent`.
        """
        cell = functional.mgu_cell()
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class MGUCell(StepCell):
    """One step of the minimal gated unit, `lstm_jax.mgu_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleCellOptions],
    ):
        """Make the parameters.

        Args:
            in_features, hidden_features: D and H.
            rngs: only read here.
            **options: as in `StepCell`, and of `lstm_jax.init_mgu`.

        Raises:
            TypeError, ValueError: as `StepCell`.
        """
        super().__init__(functional.mgu_cell(), in_features, hidden_features, rngs=rngs, **options)


class ConvLSTM(Recurrent):
    """Stacked convolutional LSTM (Shi et al. 2015). Equations in `lstm_jax.conv.conv_lstm_step`.

    Inputs are (B, T, *image, D), outputs (B, T, *image, H); D and H are channels.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        window: tuple[int, ...] = (3, 3),
        rngs: nnx.Rngs,
        **options: Unpack[ConvLSTMOptions],
    ):
        """Make the layers.

        Args:
            in_features, hidden_features: channels D and H.
            window: the kernels' size, one to three axes, as many as an image has.
            rngs: only read here.
            **options: as in `Recurrent`, and of `lstm_jax.conv.init_conv_lstm`.

        Raises:
            TypeError, ValueError: as `Recurrent`.
        """
        self.window = window
        cell = functional.conv_lstm_cell(window)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @classmethod
    def from_params(cls, params: Sequence[Tree], **options: object) -> Self:
        """Make a layer of parameters, its window that of their kernels; see `Recurrent`."""
        layers = check_layers(params)
        return super().from_params(layers, window=window_of(layers[0]), **options)


class ConvLSTMCell(StepCell):
    """One step of the convolutional LSTM, `lstm_jax.conv.conv_lstm_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        window: tuple[int, ...] = (3, 3),
        rngs: nnx.Rngs,
        **options: Unpack[ConvLSTMCellOptions],
    ):
        """Make the parameters.

        Args:
            in_features, hidden_features: channels D and H.
            window: the kernels' size, one to three axes.
            rngs: only read here.
            **options: as in `StepCell`, and of `lstm_jax.init_conv_lstm`.

        Raises:
            TypeError, ValueError: as `StepCell`.
        """
        cell = functional.conv_lstm_cell(window)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @classmethod
    def from_params(cls, params: Tree, **options: object) -> Self:
        """Make a cell of parameters, its window that of their kernels; see `StepCell`."""
        return super().from_params(params, window=window_of(params), **options)
