"""The character language model: embedding, LSTM layers, a softmax tied to the embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.models.losses import logits_of, tied_cross_entropy, tied_log_probabilities
from lstm_jax.nn.layers import LSTM
from lstm_jax.regularize import check_rate, dropout


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
