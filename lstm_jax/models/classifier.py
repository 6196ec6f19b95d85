"""A model that reads a whole sequence of words or vectors and predicts its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.models.bags import NONE, restored
from lstm_jax.models.base import Json, ReadoutModel, between_layers, check_rates, lecun, split
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.nn.layers import LSTM
from lstm_jax.regularize import dropout
from lstm_jax.trees import Tree, widened

Pooling = Literal["max", "mean", "last", "attention"]


@dataclass(frozen=True)
class SequenceClassifierConfig:
    """Configure a `SequenceClassifier`; numbers of words, inputs and classes come from the data."""

    embedding_features: int = 128
    """Width of the embedding of words; vectors need none."""
    hidden_features: int = 128
    """Width of each LSTM layer, in each direction."""
    num_layers: int = 1
    """Number of LSTM layers."""
    bidirectional: bool = True
    """Read from both ends."""
    pooling: Pooling = "max"
    """Summary of the top layer's steps for the readout: their maximum, mean, the last step, or a
    mean weighted by attention."""
    word_dropout: float = 0.0
    """Rate at which a word is replaced by unknown, or a vector by zeros."""
    input_dropout: float = 0.0
    """Dropout rate on the input of the first layer."""
    layer_dropout: float = 0.0
    """Dropout rate between LSTM layers."""
    output_dropout: float = 0.0
    """Dropout rate on the input of the readout."""


class SequenceClassifier(ReadoutModel[SequenceClassifierConfig]):
    """Classify a whole sequence: LSTM layers, pooling over time, and a linear readout.

        x_t = E[id_t], or a vector      h_t = LSTM(x)_t      logits = pool(h_1 ... h_T) W + b

    Attention is a mean weighted by softmax_t(v · tanh(h_t A)), as in Yang et al. (2016). Dropout
    is active only when a key is passed.
    """

    config_type = SequenceClassifierConfig

    def __init__(
        self,
        classes: int,
        config: SequenceClassifierConfig,
        *,
        vocabulary_size: int | None = None,
        in_features: int | None = None,
        rngs: nnx.Rngs,
    ):
        """Initialize the model.

        Args:
            classes: C.
            config: the architecture.
            vocabulary_size: V, to read ids; or
            in_features: D, to read vectors.
            rngs: random numbers for the initial parameters; not kept.

        Raises:
            ValueError: unless exactly one of the sizes is passed; or if the pooling is unknown, or
                a rate is outside [0, 1).
        """
        if (vocabulary_size is None) == (in_features is None):
            raise ValueError(
                "pass either vocabulary_size, to read ids, or in_features, to read vectors"
            )
        if config.pooling not in get_args(Pooling):
            names = ", ".join(get_args(Pooling))
            raise ValueError(f"pooling must be one of {names}, got {config.pooling!r}")
        check_rates(config)
        self.config = config
        self.reads_ids = vocabulary_size is not None
        if vocabulary_size is not None:
            shape = (vocabulary_size, config.embedding_features)
            self.embedding = nnx.Param(jax.random.uniform(rngs.params(), shape, minval=-1) / 4)
        self.lstm = LSTM(
            config.embedding_features if in_features is None else in_features,
            config.hidden_features,
            num_layers=config.num_layers,
            bidirectional=config.bidirectional,
            dropout=between_layers(config.layer_dropout, config.num_layers),
            rngs=rngs,
        )
        width = self.lstm.out_features
        if config.pooling == "attention":
            self.attention_kernel = nnx.Param(lecun(rngs, width, width))
            self.attention_vector = nnx.Param(lecun(rngs, width, 1))
        self.set_readout(lecun(rngs, width, classes))

    @classmethod
    def build(cls, config: SequenceClassifierConfig, description: Json) -> Self:
        """Build a model for the `classes` and the `vocabulary` or `in_features` of the description.

        See `Model.build`.
        """
        reads_words = "vocabulary" in description
        return cls(
            len(description["classes"]),
            config,
            vocabulary_size=len(restored(description)) if reads_words else None,
            in_features=description.get("in_features"),
            rngs=nnx.Rngs(0),
        )

    def initial_state(self, batch_size: int) -> tuple[Tree, ...]:
        """Return the zero state from which every sequence is read.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers of `LSTMState`, leaves (B, H); `Directions` if bidirectional.
        """
        return self.lstm.initial_state(batch_size)

    def __call__(
        self, xs: Array, lengths: Array | None = None, *, key: Array | None = None
    ) -> Array:
        """Classify whole sequences.

        Args:
            xs: ids (B, T), bags of ids (B, T, S) with -1 after the last id, or vectors (B, T, D).
            lengths: (B,) valid steps per row; all if None. The logits of an empty row, of length
                0 or with T=0, are b.
            key: a `jax.random` key that turns dropout on.

        Returns:
            Logits (B, C).

        Raises:
            ValueError: if xs has the wrong kind or shape.
        """
        xs = jnp.asarray(xs)
        word_key, input_key, layer_key, output_key = split(key, 4)
        words = self.reads_ids
        dimensions = (2, 3) if words else (3,)
        if jnp.issubdtype(xs.dtype, jnp.integer) != words or xs.ndim not in dimensions:
            reads = "integer ids (B, T) or (B, T, S)" if words else "vectors (B, T, D)"
            raise ValueError(f"xs must be {reads}, got {xs.dtype}{xs.shape}")
        if word_key is not None and self.config.word_dropout > 0:
            dropped = jax.random.bernoulli(word_key, self.config.word_dropout, xs.shape[:2])
            xs = without(xs, dropped)
        if words:
            xs = self.embed(xs)
        xs = dropout(input_key, xs, self.config.input_dropout)
        _, hs = self.lstm(xs, lengths=lengths, key=layer_key)
        pooled = self.pool(hs, lengths)
        pooled = dropout(output_key, pooled, self.config.output_dropout)
        return self.readout(pooled)

    def embed(self, ids: Array) -> Array:
        """Look up words: the embedding of their id, or sum_s E[id_s] / sqrt(S) of their S ids.

        Args:
            ids: (B, T), or (B, T, S) with -1 after the last id of a word.

        Returns:
            The input of the first layer, (B, T, E).
        """
        rows = self.embedding[...][ids]
        if ids.ndim == 2:
            return rows
        valid = (ids != NONE)[..., None]
        count = jnp.maximum(valid.sum(-2), 1)
        return jnp.where(valid, rows, 0).sum(-2) / jnp.sqrt(count).astype(rows.dtype)

    def pool(self, hs: Array, lengths: Array | None = None) -> Array:
        """Combine the hidden states of a row into one vector, by `config.pooling`.

        Args:
            hs: (B, T, H'), both directions if bidirectional.
            lengths: (B,) valid steps per row; all if None.

        Returns:
            The input of the readout, (B, H'), in the dtype of hs; zeros for an empty row. Invalid
            steps, even if they hold NaN, reach neither it nor the gradient.
        """
        steps = hs.shape[1]
        if steps == 0:
            return hs.sum(1)
        lengths = jnp.full(len(hs), steps, jnp.int32) if lengths is None else jnp.asarray(lengths)
        valid = (lengths[:, None] > jnp.arange(steps, dtype=lengths.dtype)[None])[..., None]
        hs = jnp.where(valid, hs, 0)
        if self.config.pooling == "max":
            least = jnp.finfo(hs.dtype).min
            return jnp.where(lengths[:, None] > 0, jnp.where(valid, hs, least).max(1), 0)
        if self.config.pooling == "mean":
            summed = widened(hs).sum(1)
            mean = summed / jnp.maximum(lengths, 1).astype(summed.dtype)[:, None]
            return mean.astype(hs.dtype)
        if self.config.pooling == "attention":
            scores = jnp.tanh(hs @ self.attention_kernel[...]) @ self.attention_vector[...]
            # The smallest number rather than -inf, which would make NaN of an empty row.
            scores = widened(jnp.where(valid, scores, jnp.finfo(scores.dtype).min))
            mean = (jax.nn.softmax(scores, axis=1) * hs).sum(1)
            return mean.astype(hs.dtype)
        return self._ends(hs, lengths)

    def _ends(self, hs: Array, lengths: Array) -> Array:
        """Return the last step of each direction; the backward one ends at the first in time."""
        last = jnp.maximum(lengths - 1, 0)[:, None, None]
        ends = jnp.take_along_axis(hs, last, 1)[:, 0]
        if self.config.bidirectional:
            half = hs.shape[-1] // 2
            ends = jnp.concatenate([ends[:, :half], hs[:, 0, half:]], -1)
        return jnp.where(lengths[:, None] > 0, ends, 0)


def without(xs: Array, dropped: Array) -> Array:
    """Replace words by unknown, and vectors by zeros; the n-grams of a word remain.

    Args:
        xs: ids (B, T), bags of ids (B, T, S), or vectors (B, T, D).
        dropped: (B, T) booleans.
    """
    if not jnp.issubdtype(xs.dtype, jnp.integer):
        return jnp.where(dropped[..., None], 0, xs)
    if xs.ndim == 2:
        return jnp.where(dropped, Vocabulary.unknown_id, xs)
    return xs.at[..., 0].set(jnp.where(dropped, Vocabulary.unknown_id, xs[..., 0]))
