"""The layers and single-step cells of the package: LSTM, GRU, RNN, MGU and ConvLSTM."""

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
    """Describe the options of `LSTM`: those of `Recurrent` and of `init_lstm`."""


class LSTMCellOptions(StepOptions, LSTMInitOptions, total=False):
    """Describe the options of `LSTMCell`: those of `StepCell` and of `init_lstm`."""


class GRUOptions(LayerOptions, GRUInitOptions, total=False):
    """Describe the options of `GRU`: those of `Recurrent` and of `init_gru`."""


class GRUCellOptions(StepOptions, GRUInitOptions, total=False):
    """Describe the options of `GRUCell`: those of `StepCell` and of `init_gru`."""


class SimpleOptions(LayerOptions, InitOptions, total=False):
    """Describe the options of `RNN` and `MGU`: those of `Recurrent`, and `bias` and `preset`."""


class SimpleCellOptions(StepOptions, InitOptions, total=False):
    """Describe the options of `RNNCell` and `MGUCell`: those of `StepCell`, `bias`, `preset`."""


class ConvLSTMOptions(LayerOptions, ConvLSTMInitOptions, total=False):
    """Describe the options of `ConvLSTM`: those of `Recurrent` and of `init_conv_lstm`."""


class ConvLSTMCellOptions(StepOptions, ConvLSTMInitOptions, total=False):
    """Describe the options of `ConvLSTMCell`: those of `StepCell` and of `init_conv_lstm`."""


class LSTM(Recurrent):
    """Stack layers of the LSTM; the equations are in `lstm_jax.lstm_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activations: LSTMActivations = TEXTBOOK,
        rngs: nnx.Rngs,
        **options: Unpack[LSTMOptions],
    ):
        """Build the layers.

        Args:
            in_features, hidden_features: D and H.
            activations: functions used instead of σ and tanh.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `Recurrent` and
                `lstm_jax.init_lstm`.
            forget_bias: initial bias of the forget gate (1).
            max_timescale: draw chrono biases for dependencies of up to this many steps (None).
            bias, peepholes, layer_norm: whether the cell has biases (True), peepholes (False) and
                layer normalization (False).
            coupled: whether i = 1 - f replaces the input gate (False).
            projection_features: width of a projected h (None).
            preset: initialize as "torch", "keras" or "flax" does (None).
            num_layers: number of stacked layers, each reading the h of the layer below (1).
            bidirectional: whether each layer runs in both directions of time (False).
            merge: "concat" or "sum" of the two directions ("concat").
            connections: None, "residual" or "skip" (None).
            dropout, input_dropout, output_dropout: dropout rates between layers, of the inputs, and
                of the outputs (0); `variational` shares one mask over time (False).
            state_dropout: dropout rate of h in the recurrent product (0).
            weight_dropout: dropout rate of the recurrent kernel (0).
            zoneout, cell_zoneout: probabilities that h and c keep their old values (0).
            learned_initial: make the initial state a parameter (False).
            time_major: use (T, B, ·) instead of (B, T, ·) (False).
            unroll, remat: as in `lstm_jax.scan` (1, None).
            dtype, param_dtype, cell_dtype: dtypes of the computation, the parameters and c; if
                None, promoted, float32, and float32 at least.
            implementation: as in `lstm_jax.lstm` (None, the fastest).
            params: initial parameters of every layer; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `Recurrent`.
        """
        cell = functional.lstm_cell(activations)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @property
    def activations(self) -> LSTMActivations:
        """Return the activation functions of the cell."""
        return bound(self.base_cell.step, "activations", TEXTBOOK)


class LSTMCell(StepCell):
    """Take one step of the LSTM, `lstm_jax.lstm_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activations: LSTMActivations = TEXTBOOK,
        rngs: nnx.Rngs,
        **options: Unpack[LSTMCellOptions],
    ):
        """Initialize the parameters.

        Args:
            in_features, hidden_features: D and H.
            activations: functions used instead of σ and tanh.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `StepCell` and
                `lstm_jax.init_lstm`.
            forget_bias: initial bias of the forget gate (1).
            max_timescale: draw chrono biases for dependencies of up to this many steps (None).
            bias, peepholes, layer_norm: whether the cell has biases (True), peepholes (False) and
                layer normalization (False).
            coupled: whether i = 1 - f replaces the input gate (False).
            projection_features: width of a projected h (None).
            preset: initialize as "torch", "keras" or "flax" does (None).
            dtype, param_dtype: dtypes of the computation and of the parameters; promoted and
                float32 if None.
            params: initial parameters; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `StepCell`.
        """
        cell = functional.lstm_cell(activations)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class GRU(Recurrent):
    """Stack layers of the GRU; the equations are in `lstm_jax.gru_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        reset_after: bool = True,
        rngs: nnx.Rngs,
        **options: Unpack[GRUOptions],
    ):
        """Build the layers.

        Args:
            in_features, hidden_features: D and H.
            reset_after: whether the reset gate acts after the matrix product.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `Recurrent` and
                `lstm_jax.init_gru`.
            bias, recurrent_bias: whether the cell has biases, and one inside the reset product
                (True).
            preset: initialize as "torch", "keras" or "flax" does (None).
            num_layers: number of stacked layers, each reading the h of the layer below (1).
            bidirectional: whether each layer runs in both directions of time (False).
            merge: "concat" or "sum" of the two directions ("concat").
            connections: None, "residual" or "skip" (None).
            dropout, input_dropout, output_dropout: dropout rates between layers, of the inputs, and
                of the outputs (0); `variational` shares one mask over time (False).
            weight_dropout: dropout rate of the recurrent kernel (0).
            zoneout: probability that h keeps its old value (0).
            learned_initial: make the initial state a parameter (False).
            time_major: use (T, B, ·) instead of (B, T, ·) (False).
            unroll, remat: as in `lstm_jax.scan` (1, None).
            dtype, param_dtype, cell_dtype: dtypes of the computation, the parameters and c; if
                None, promoted, float32, and float32 at least.
            implementation: as in `lstm_jax.lstm` (None, the fastest).
            params: initial parameters of every layer; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `Recurrent`.
        """
        self.reset_after = reset_after
        cell = functional.gru_cell(reset_after)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class GRUCell(StepCell):
    """Take one step of the GRU, `lstm_jax.gru_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        reset_after: bool = True,
        rngs: nnx.Rngs,
        **options: Unpack[GRUCellOptions],
    ):
        """Initialize the parameters.

        Args:
            in_features, hidden_features: D and H.
            reset_after: whether the reset gate acts after the matrix product.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `StepCell` and
                `lstm_jax.init_gru`.
            bias, recurrent_bias: whether the cell has biases, and one inside the reset product
                (True).
            preset: initialize as "torch", "keras" or "flax" does (None).
            dtype, param_dtype: dtypes of the computation and of the parameters; promoted and
                float32 if None.
            params: initial parameters; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `StepCell`.
        """
        cell = functional.gru_cell(reset_after)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class RNN(Recurrent):
    """Stack layers of the vanilla RNN; the equation is in `lstm_jax.rnn_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activation: Activation = jnp.tanh,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleOptions],
    ):
        """Build the layers.

        Args:
            in_features, hidden_features: D and H.
            activation: function used instead of tanh.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `Recurrent` and
                `lstm_jax.init_rnn`.
            bias: whether there is a bias (True).
            preset: initialize as "torch", "keras" or "flax" does (None).
            num_layers: number of stacked layers, each reading the h of the layer below (1).
            bidirectional: whether each layer runs in both directions of time (False).
            merge: "concat" or "sum" of the two directions ("concat").
            connections: None, "residual" or "skip" (None).
            dropout, input_dropout, output_dropout: dropout rates between layers, of the inputs, and
                of the outputs (0); `variational` shares one mask over time (False).
            state_dropout: dropout rate of h in the recurrent product (0).
            weight_dropout: dropout rate of the recurrent kernel (0).
            zoneout: probability that h keeps its old value (0).
            learned_initial: make the initial state a parameter (False).
            time_major: use (T, B, ·) instead of (B, T, ·) (False).
            unroll, remat: as in `lstm_jax.scan` (1, None).
            dtype, param_dtype, cell_dtype: dtypes of the computation, the parameters and c; if
                None, promoted, float32, and float32 at least.
            implementation: as in `lstm_jax.lstm` (None, the fastest).
            params: initial parameters of every layer; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `Recurrent`.
        """
        cell = functional.rnn_cell(activation)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @property
    def activation(self) -> Activation:
        """Return the activation function of the cell."""
        return bound(self.base_cell.step, "activation", jnp.tanh)


class RNNCell(StepCell):
    """Take one step of the vanilla RNN, `lstm_jax.rnn_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activation: Activation = jnp.tanh,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleCellOptions],
    ):
        """Initialize the parameters.

        Args:
            in_features, hidden_features: D and H.
            activation: function used instead of tanh.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `StepCell` and
                `lstm_jax.init_rnn`.
            bias: whether there is a bias (True).
            preset: initialize as "torch", "keras" or "flax" does (None).
            dtype, param_dtype: dtypes of the computation and of the parameters; promoted and
                float32 if None.
            params: initial parameters; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `StepCell`.
        """
        cell = functional.rnn_cell(activation)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class MGU(Recurrent):
    """Stack layers of the minimal gated unit; the equations are in `lstm_jax.mgu_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleOptions],
    ):
        """Build the layers.

        Args:
            in_features, hidden_features: D and H.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `Recurrent` and
                `lstm_jax.init_mgu`.
            bias: whether there is a bias (True).
            preset: initialize as "torch", "keras" or "flax" does (None).
            num_layers: number of stacked layers, each reading the h of the layer below (1).
            bidirectional: whether each layer runs in both directions of time (False).
            merge: "concat" or "sum" of the two directions ("concat").
            connections: None, "residual" or "skip" (None).
            dropout, input_dropout, output_dropout: dropout rates between layers, of the inputs, and
                of the outputs (0); `variational` shares one mask over time (False).
            weight_dropout: dropout rate of the recurrent kernel (0).
            zoneout: probability that h keeps its old value (0).
            learned_initial: make the initial state a parameter (False).
            time_major: use (T, B, ·) instead of (B, T, ·) (False).
            unroll, remat: as in `lstm_jax.scan` (1, None).
            dtype, param_dtype, cell_dtype: dtypes of the computation, the parameters and c; if
                None, promoted, float32, and float32 at least.
            implementation: as in `lstm_jax.lstm` (None, the fastest).
            params: initial parameters of every layer; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `Recurrent`.
        """
        cell = functional.mgu_cell()
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)


class MGUCell(StepCell):
    """Take one step of the minimal gated unit, `lstm_jax.mgu_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        rngs: nnx.Rngs,
        **options: Unpack[SimpleCellOptions],
    ):
        """Initialize the parameters.

        Args:
            in_features, hidden_features: D and H.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `StepCell` and
                `lstm_jax.init_mgu`.
            bias: whether there is a bias (True).
            preset: initialize as "torch", "keras" or "flax" does (None).
            dtype, param_dtype: dtypes of the computation and of the parameters; promoted and
                float32 if None.
            params: initial parameters; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `StepCell`.
        """
        super().__init__(functional.mgu_cell(), in_features, hidden_features, rngs=rngs, **options)


class ConvLSTM(Recurrent):
    """Stack layers of the convolutional LSTM (Shi et al. 2015).

    The equations are in `lstm_jax.conv.conv_lstm_step`.

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
        """Build the layers.

        Args:
            in_features, hidden_features: channels D and H.
            window: size of the kernels, along the one to three axes of an image.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `Recurrent` and
                `lstm_jax.conv.init_conv_lstm`.
            forget_bias: initial bias of the forget gate (1).
            bias, peepholes: whether the cell has biases (True) and peepholes (False).
            num_layers: number of stacked layers, each reading the h of the layer below (1).
            bidirectional: whether each layer runs in both directions of time (False).
            merge: "concat" or "sum" of the two directions ("concat").
            connections: None, "residual" or "skip" (None).
            dropout, input_dropout, output_dropout: dropout rates between layers, of the inputs, and
                of the outputs (0); `variational` shares one mask over time (False).
            state_dropout: dropout rate of h in the recurrent product (0).
            weight_dropout: dropout rate of the recurrent kernel (0).
            zoneout, cell_zoneout: probabilities that h and c keep their old values (0).
            learned_initial: make the initial state a parameter (False).
            time_major: use (T, B, ·) instead of (B, T, ·) (False).
            unroll, remat: as in `lstm_jax.scan` (1, None).
            dtype, param_dtype, cell_dtype: dtypes of the computation, the parameters and c; if
                None, promoted, float32, and float32 at least.
            implementation: as in `lstm_jax.lstm` (None, the fastest).
            params: initial parameters of every layer; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `Recurrent`.
        """
        self.window = window
        cell = functional.conv_lstm_cell(window)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @classmethod
    def from_params(cls, params: Sequence[Tree], **options: object) -> Self:
        """Build a layer with existing parameters, which set its window; see `Recurrent`."""
        layers = check_layers(params)
        return super().from_params(layers, window=window_of(layers[0]), **options)


class ConvLSTMCell(StepCell):
    """Take one step of the convolutional LSTM, `lstm_jax.conv.conv_lstm_step`."""

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        window: tuple[int, ...] = (3, 3),
        rngs: nnx.Rngs,
        **options: Unpack[ConvLSTMCellOptions],
    ):
        """Initialize the parameters.

        Args:
            in_features, hidden_features: channels D and H.
            window: size of the kernels, along one to three axes.
            rngs: random numbers for the initial parameters; not kept.
            **options: the options below, described in full by `StepCell` and
                `lstm_jax.conv.init_conv_lstm`.
            forget_bias: initial bias of the forget gate (1).
            bias, peepholes: whether the cell has biases (True) and peepholes (False).
            dtype, param_dtype: dtypes of the computation and of the parameters; promoted and
                float32 if None.
            params: initial parameters; drawn at random if None.

        Raises:
            TypeError, ValueError: as in `StepCell`.
        """
        cell = functional.conv_lstm_cell(window)
        super().__init__(cell, in_features, hidden_features, rngs=rngs, **options)

    @classmethod
    def from_params(cls, params: Tree, **options: object) -> Self:
        """Build a cell with existing parameters, which set its window; see `StepCell`."""
        return super().from_params(params, window=window_of(params), **options)
