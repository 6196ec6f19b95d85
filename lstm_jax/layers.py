"""NNX layers: they own the parameters and call the functions. Batch-major, keys passed."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax import cells, functional, initializers
from lstm_jax.dropout import check_rate, dropout


class _Layer(nnx.Module):
    """One layer's arrays, one `nnx.Param` each, and `params`, the dataclass that holds them."""

    def __init__(self, params: Any):
        self.params_type = type(params)
        given = {name: value for name, value in vars(params).items() if value is not None}
        self.names = tuple(given)
        for name, value in given.items():
            setattr(self, name, _Layer(value) if is_dataclass(value) else nnx.Param(value))

    @property
    def params(self) -> Any:
        held = {name: getattr(self, name) for name in self.names}
        return self.params_type(
            **{name: v.params if isinstance(v, _Layer) else v[...] for name, v in held.items()}
        )


class Recurrent(nnx.Module):
    """What `LSTM`, `GRU` and `RNN` share: a stack of layers of one kind over a batch of sequences.

    Subclasses name their cell: `init`, `function`, `state_type` and `default_implementation`.
    """

    init: Any
    function: Any
    state_type: Any
    default_implementation: str

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        num_layers: int = 1,
        dropout: float = 0.0,
        variational: bool = False,
        time_major: bool = False,
        implementation: str | None = None,
        rngs: nnx.Rngs,
        **init_options: Any,
    ):
        """Make the layers.

        Args:
            in_features, hidden_features: D and H.
            num_layers: layers above one another, each reading the hidden states below.
            dropout: rate between layers; active when a key is passed.
            variational: one dropout mask over all time steps (Gal & Ghahramani 2016).
            time_major: inputs and outputs (T, B, ·) instead of (B, T, ·).
            implementation: as in `lstm_jax.lstm`; None is "fused" where the cell has it. For
                forward-mode differentiation (`jax.jvp`, `jax.jacfwd`) ask for "scan".
            rngs: only read here; nothing random is kept.
            **init_options: for the cell's initialiser, such as `forget_bias`.

        Raises:
            ValueError: for fewer than one layer or a rate outside [0, 1).
        """
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        check_rate("dropout", dropout)
        self.in_features = in_features
        self.hidden_features = hidden_features
        self.num_layers = num_layers
        self.dropout = dropout
        self.variational = variational
        self.time_major = time_major
        self.implementation = implementation or self.default_implementation
        widths = [in_features] + [hidden_features] * (num_layers - 1)
        init = type(self).init
        self.layers = nnx.List(
            [
                _Layer(init(rngs.params(), width, hidden_features, **init_options))
                for width in widths
            ]
        )

    def __call__(
        self,
        xs: Array,
        state: tuple[Any, ...] | None = None,
        *,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[Any, ...], Array]:
        """Run over a batch of sequences.

        Args:
            xs: (B, T, D), or (T, B, D) if `time_major`.
            state: a tuple over layers; zeros if None.
            lengths: (B,) valid steps per row. mask, resets: (B, T) booleans, or (T, B); see
                `lstm_jax.scan` for what they do.
            key: turns dropout on.

        Returns:
            `(final_state, hs)`: a tuple over layers, and the top layer's h, (B, T, H) or (T, B, H).

        Raises:
            ValueError: shapes that do not fit.
        """
        if xs.ndim != 3:
            axes = "(T, B, D)" if self.time_major else "(B, T, D)"
            raise ValueError(f"xs must be {axes}, got shape {xs.shape}")
        if state is not None and len(state) != self.num_layers:
            raise ValueError(f"state must be a tuple of {self.num_layers}, got {len(state)}")
        if not self.time_major:
            xs = _swap(xs)
            mask = None if mask is None else _swap(mask)
            resets = None if resets is None else _swap(resets)
        keys = [None] * self.num_layers if key is None else jax.random.split(key, self.num_layers)
        final_states = []
        for index, layer in enumerate(self.layers):
            if index > 0:
                shared = (0,) if self.variational else ()
                xs = dropout(keys[index], xs, self.dropout, shared_axes=shared)
            final, xs = type(self).function(
                layer.params,
                xs,
                None if state is None else state[index],
                lengths=lengths,
                mask=mask,
                resets=resets,
                implementation=self.implementation,
            )
            final_states.append(final)
        return tuple(final_states), xs if self.time_major else _swap(xs)

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """The zero state for a batch: a tuple over layers, leaves (B, H)."""
        zeros = jnp.zeros((batch_size, self.hidden_features), self.layers[0].params.bias.dtype)
        return tuple(
            self.state_type(*(zeros for _ in self.state_type._fields)) for _ in self.layers
        )


class LSTM(Recurrent):
    """Stacked LSTM. Equations in `lstm_jax.lstm_step`; `forget_bias=1.0` goes to `init_lstm`."""

    init = staticmethod(initializers.init_lstm)
    function = staticmethod(functional.lstm)
    state_type = cells.LSTMState
    default_implementation = "fused"


class GRU(Recurrent):
    """Stacked GRU. Equations in `lstm_jax.gru_step`."""

    init = staticmethod(initializers.init_gru)
    function = staticmethod(functional.gru)
    state_type = cells.GRUState
    default_implementation = "scan"


class RNN(Recurrent):
    """Stacked vanilla tanh RNN. Equation in `lstm_jax.rnn_step`."""

    init = staticmethod(initializers.init_rnn)
    function = staticmethod(functional.rnn)
    state_type = cells.RNNState
    default_implementation = "fused"


def _swap(array: Array) -> Array:
    return jnp.swapaxes(array, 0, 1)
