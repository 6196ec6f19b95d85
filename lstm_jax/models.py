"""NNX models and their configurations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.dropout import check_rate, dropout
from lstm_jax.layers import GRU, LSTM, RNN
from lstm_jax.losses import logits_of, tied_cross_entropy, tied_log_probabilities


@dataclass(frozen=True)
class CharLMConfig:
    """Architecture of a `CharLM`; the vocabulary's size comes from the data."""

    embedding_features: int = 384
    """Width of the embedding, shared by input and output."""
    hidden_features: int = 512
    """Width of each LSTM layer."""
    num_layers: int = 2
    """LSTM layers."""
    embedding_dropout: float = 0.0
    """Dropout rate on the embedded characters."""
    layer_dropout: float = 0.0
    """Dropout rate between LSTM layers."""
    output_dropout: float = 0.0
    """Dropout rate on the top layer's output."""
    variational: bool = False
    """One dropout mask over all the steps of a window."""


class CharLM(nnx.Module):
    """Character language model: embedding, stacked LSTM, projection, softmax tied to the embedding.

        e_t = E[id_t]      h_t = LSTM(e_t)      logits_t = (h_t P) Eᵀ + b

    Dropout is active when a key is passed, and only then.
    """

    def __init__(self, vocabulary_size: int, config: CharLMConfig, *, rngs: nnx.Rngs):
        for name in ("embedding_dropout", "layer_dropout", "output_dropout"):
            check_rate(name, getattr(config, name))
        self.config = config
        width = config.embedding_features
        scale = jax.nn.initializers.normal(width**-0.5)
        self.embedding = nnx.Param(scale(rngs.params(), (vocabulary_size, width)))
        self.lstm = LSTM(
            width,
            config.hidden_features,
            num_layers=config.num_layers,
            dropout=config.layer_dropout,
            variational=config.variational,
            rngs=rngs,
        )
        lecun = jax.nn.initializers.lecun_normal()
        self.projection = nnx.Param(lecun(rngs.params(), (config.hidden_features, width)))
        self.output_bias = nnx.Param(jnp.zeros(vocabulary_size))

    @property
    def vocabulary_size(self) -> int:
        return self.output_bias.shape[0]

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """The state before a text, zeros: a tuple over layers, leaves (B, H)."""
        return self.lstm.initial_state(batch_size)

    def features(
        self,
        ids: Array,
        state: tuple[Any, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[Any, ...], Array]:
        """What the softmax reads, (B, T, E), from ids (B, T); other arguments as in `LSTM`."""
        if not jnp.issubdtype(ids.dtype, jnp.integer) or ids.ndim != 2:
            raise ValueError(f"ids must be integers (B, T), got {ids.dtype}{ids.shape}")
        keys = (None,) * 3 if key is None else jax.random.split(key, 3)
        shared = (1,) if self.config.variational else ()
        xs = self.embedding[...][ids]
        xs = dropout(keys[0], xs, self.config.embedding_dropout, shared_axes=shared)
        state, hs = self.lstm(xs, state, lengths=lengths, resets=resets, key=keys[1])
        hs = dropout(keys[2], hs, self.config.output_dropout, shared_axes=shared)
        return state, hs @ self.projection[...]

    def __call__(
        self,
        ids: Array,
        state: tuple[Any, ...] | None = None,
        **options: Any,
    ) -> tuple[tuple[Any, ...], Array]:
        """Logits of the next character, (B, T, V), after each of ids (B, T).

        Returns:
            `(final_state, logits)`; arguments as in `features`.
        """
        state, features = self.features(ids, state, **options)
        return state, logits_of(features, self.embedding[...], self.output_bias[...])

    def log_probabilities(
        self,
        ids: Array,
        targets: Array,
        state: tuple[Any, ...] | None = None,
        **options: Any,
    ) -> tuple[tuple[Any, ...], Array]:
        """ln p(targets[b, t] | ids[b, :t + 1]), (B, T), never holding (B, T, V).

        Returns:
            `(final_state, log_probabilities)`; arguments as in `features`.
        """
        state, features = self.features(ids, state, **options)
        tied = (self.embedding[...], self.output_bias[...])
        return state, tied_log_probabilities(features, *tied, targets)

    def loss(
        self,
        ids: Array,
        targets: Array,
        weights: Array,
        state: tuple[Any, ...] | None = None,
        **options: Any,
    ) -> tuple[tuple[Any, ...], Array]:
        """Σ weights · -ln p(targets), in nats, with the gradient made for training.

        Returns:
            `(final_state, total)`; arguments as in `features`, weights (B, T).
        """
        state, features = self.features(ids, state, **options)
        tied = (self.embedding[...], self.output_bias[...])
        return state, tied_cross_entropy(features, *tied, targets, weights)

    def step(self, state: tuple[Any, ...], ids: Array) -> tuple[tuple[Any, ...], Array]:
        """One character of each row: ids (B,) -> `(state, logits (B, V))`."""
        state, logits = self(ids[:, None], state)
        return state, logits[:, 0]


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
