"""The character language model: embedding, LSTM layers, a softmax tied to the embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.cells import LSTMState
from lstm_jax.models.base import Json, Model, between_layers, check_rates, lecun, split
from lstm_jax.models.losses import logits_of, tied_cross_entropy, tied_log_probabilities
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.nn.layers import LSTM
from lstm_jax.regularize import dropout
from lstm_jax.stacks import Connections


@dataclass(frozen=True)
class CharLMConfig:
    """Configure the architecture of a `CharLM`; the size of the vocabulary comes from the data."""

    embedding_features: int = 384
    """Width of the embedding, shared by input and output."""
    hidden_features: int = 512
    """Width of each LSTM layer."""
    num_layers: int = 2
    """Number of LSTM layers."""
    embedding_dropout: float = 0.0
    """Dropout rate on the embedded characters."""
    layer_dropout: float = 0.0
    """Dropout rate between LSTM layers."""
    output_dropout: float = 0.0
    """Dropout rate on the top layer's output."""
    variational: bool = False
    """One dropout mask for all the steps of a window."""
    weight_dropout: float = 0.0
    """Dropout rate on the recurrent kernels, one mask for a window (AWD-LSTM)."""
    connections: Connections | None = None
    """Connections between layers: residual adds the input of every layer but the first to its
    output; skip lets every layer also read the embedded characters, and the softmax all layers."""


class CharLM(Model[CharLMConfig]):
    """Predict characters: embedding, stacked LSTM, projection, softmax tied to the embedding.

        e_t = E[id_t]      h_t = LSTM(e_t)      logits_t = (h_t P) Eᵀ + b

    Dropout is active only when a key is passed.
    """

    config_type = CharLMConfig

    def __init__(self, vocabulary_size: int, config: CharLMConfig, *, rngs: nnx.Rngs):
        """Initialize the model.

        Args:
            vocabulary_size: V, including END and UNKNOWN.
            config: the architecture.
            rngs: random numbers for the initial parameters; not kept.

        Raises:
            ValueError: if a rate is outside [0, 1), there is not at least one layer, or the
                connections are unknown.
        """
        check_rates(config)
        self.config = config
        width = config.embedding_features
        scale = jax.nn.initializers.normal(width**-0.5)
        self.embedding = nnx.Param(scale(rngs.params(), (vocabulary_size, width)))
        self.lstm = LSTM(
            width,
            config.hidden_features,
            num_layers=config.num_layers,
            connections=config.connections,
            dropout=between_layers(config.layer_dropout, config.num_layers),
            variational=config.variational,
            weight_dropout=config.weight_dropout,
            rngs=rngs,
        )
        self.projection = nnx.Param(lecun(rngs, self.lstm.out_features, width))
        self.output_bias = nnx.Param(jnp.zeros(vocabulary_size))

    @classmethod
    def build(cls, config: CharLMConfig, description: Json) -> Self:
        """Build a model for the `vocabulary` of the description; see `Model.build`."""
        return cls(len(Vocabulary.restored(description["vocabulary"])), config, rngs=nnx.Rngs(0))

    @property
    def vocabulary_size(self) -> int:
        """Return V, including END and UNKNOWN."""
        return self.output_bias.shape[0]

    def initial_state(self, batch_size: int) -> tuple[LSTMState, ...]:
        """Return the zero state before a text.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers, leaves (B, H).
        """
        return self.lstm.initial_state(batch_size)

    def features(
        self,
        ids: Array,
        state: tuple[LSTMState, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[LSTMState, ...], Array]:
        """Compute the inputs of the softmax.

        Args:
            ids: integers, (B, T).
            state: a tuple over layers, leaves (B, H); zeros if None.
            lengths: (B,) valid steps of each row; all if None.
            resets: (B, T) booleans, True where a new text begins, from zeros.
            key: a `jax.random` key that turns dropout on.

        Returns:
            `(final_state, features)`: features (B, T, E).

        Raises:
            ValueError: if the ids are not integers (B, T), or other shapes do not fit.
        """
        if not jnp.issubdtype(ids.dtype, jnp.integer) or ids.ndim != 2:
            raise ValueError(f"ids must be integers (B, T), got {ids.dtype}{ids.shape}")
        keys = split(key, 3)
        shared = (1,) if self.config.variational else ()
        xs = self.embedding[...][ids]
        xs = dropout(keys[0], xs, self.config.embedding_dropout, shared_axes=shared)
        state, hs = self.lstm(xs, state, lengths=lengths, resets=resets, key=keys[1])
        hs = dropout(keys[2], hs, self.config.output_dropout, shared_axes=shared)
        return state, hs @ self.projection[...]

    def __call__(
        self,
        ids: Array,
        state: tuple[LSTMState, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[LSTMState, ...], Array]:
        """Compute the logits of the next character after each one.

        Args:
            ids, state, lengths, resets, key: see `features`.

        Returns:
            `(final_state, logits)`: logits (B, T, V).

        Raises:
            ValueError: if shapes do not fit.
        """
        state, features = self.features(ids, state, lengths=lengths, resets=resets, key=key)
        return state, logits_of(features, self.embedding[...], self.output_bias[...])

    def log_probabilities(
        self,
        ids: Array,
        targets: Array,
        state: tuple[LSTMState, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[LSTMState, ...], Array]:
        """Compute ln p(targets[b, t] | ids[b, :t + 1]) without storing (B, T, V).

        Args:
            ids, state, lengths, resets, key: see `features`.
            targets: integers, (B, T), the characters that follow.

        Returns:
            `(final_state, log_probabilities)`: natural logarithms (B, T).

        Raises:
            ValueError: if shapes do not fit.
        """
        state, features = self.features(ids, state, lengths=lengths, resets=resets, key=key)
        tied = (self.embedding[...], self.output_bias[...])
        return state, tied_log_probabilities(features, *tied, targets)

    def loss(
        self,
        ids: Array,
        targets: Array,
        weights: Array,
        state: tuple[LSTMState, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        key: Array | None = None,
    ) -> tuple[tuple[LSTMState, ...], Array]:
        """Compute Σ weights · -ln p(targets), with a gradient optimized for training.

        Args:
            ids, state, lengths, resets, key: see `features`.
            targets: integers, (B, T), the characters that follow.
            weights: (B, T); no gradient flows to them.

        Returns:
            `(final_state, total)`: a scalar, in nats.

        Raises:
            ValueError: if shapes do not fit.
        """
        state, features = self.features(ids, state, lengths=lengths, resets=resets, key=key)
        tied = (self.embedding[...], self.output_bias[...])
        return state, tied_cross_entropy(features, *tied, targets, weights)

    def step(self, state: tuple[LSTMState, ...], ids: Array) -> tuple[tuple[LSTMState, ...], Array]:
        """Read one character of each row.

        Args:
            state: a tuple over layers, leaves (B, H).
            ids: integers, (B,).

        Returns:
            `(new_state, logits)`: logits (B, V) of the next character.
        """
        state, logits = self(ids[:, None], state)
        return state, logits[:, 0]
