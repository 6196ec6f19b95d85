"""A sequence read to its end and then judged: words or vectors in, one class out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lstm_jax.models.base import Json, ReadoutModel, between_layers, check_rates, lecun, split
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.nn.layers import LSTM
from lstm_jax.regularize import dropout
from lstm_jax.trees import Tree, widened

Pooling = Literal["max", "mean", "last", "attention"]


@dataclass(frozen=True)
class SequenceClassifierConfig:
    """Architecture of a `SequenceClassifier`; numbers of words, inputs, classes are the data's."""

    embedding_features: int = 128
    """Width of the embedding of words; vectors are read as they are."""
    hidden_features: int = 128
    """Width of each LSTM layer, in each direction."""
    num_layers: int = 1
    """LSTM layers."""
    bidirectional: bool = True
    """Read from both ends."""
    pooling: Pooling = "max"
    """What the readout sees of the top layer's steps: their maximum, mean, the last, or a mean
    weighted by attention."""
    word_dropout: float = 0.0
    """Rate at which a word is read as unknown; of vectors, at which a step is read as zeros."""
    input_dropout: float = 0.0
    """Dropout rate on what the first layer reads."""
    layer_dropout: float = 0.0
    """Dropout rate between LSTM layers."""
    output_dropout: float = 0.0
    """Dropout rate on what the readout sees."""


class SequenceClassifier(ReadoutModel[SequenceClassifierConfig]):
    """Judge a whole sequence: LSTM layers, pooled over time, and a linear readout.

        x_t = E[id_t], or given      h_t = LSTM(x)_t      logits = pool(h_1 ... h_T) W + b

    Attention is a mean weighted by softmax_t(v · tanh(h_t A)), as in Yang et al. (2016). Dropout
    is active when a key is passed, and only then.
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
        """Make the model.

        Args:
            classes: C.
            config: the architecture.
            vocabulary_size: of ids to read; or
            in_features: D of vectors to read.
            rngs: only read here.

        Raises:
            ValueError: both or neither of ids and vectors, another pooling, a rate outside [0, 1).
        """
        if (vocabulary_size is None) == (in_features is None):
            raise ValueError("give one of vocabulary_size, to read ids, and in_features")
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
        """Make a model of the description's `classes`, which reads its `vocabulary`, or vectors of
        its `in_features`; see `Model.build`."""
        words = description.get("vocabulary")
        return cls(
            len(description["classes"]),
            config,
            vocabulary_size=None if words is None else len(Vocabulary.restored(words)),
            in_features=description.get("in_features"),
            rngs=nnx.Rngs(0),
        )

    def initial_state(self, batch_size: int) -> tuple[Tree, ...]:
        """Give the state before a sequence, zeros, from which every one is read.

        Args:
            batch_size: B.

        Returns:
            A tuple over layers of `LSTMState`, leaves (B, H); `Directions` of two where
            bidirectional.
        """
        return self.lstm.initial_state(batch_size)

    def __call__(
        self, xs: Array, lengths: Array | None = None, *, key: Array | None = None
    ) -> Array:
        """Judge whole sequences.

        Args:
            xs: ids (B, T), or vectors (B, T, D).
            lengths: (B,) valid steps per row, all if None; an empty row, of length 0 or of T=0,
                is judged by b alone.
            key: turns dropout on.

        Returns:
            Logits (B, C).

        Raises:
            ValueError: ids where vectors are read, or the other way round, or other shapes.
        """
        xs = jnp.asarray(xs)
        word_key, input_key, layer_key, output_key = split(key, 4)
        words = self.reads_ids
        if jnp.issubdtype(xs.dtype, jnp.integer) != words or xs.ndim != (2 if words else 3):
            reads = "integer ids (B, T)" if words else "vectors (B, T, D)"
            raise ValueError(f"xs must be {reads}, got {xs.dtype}{xs.shape}")
        if word_key is not None and self.config.word_dropout > 0:
            lost = jax.random.bernoulli(word_key, self.config.word_dropout, xs.shape[:2])
            unknown = Vocabulary.unknown_id if words else 0
            xs = jnp.where(lost if words else lost[..., None], unknown, xs)
        if words:
            xs = self.embedding[...][xs]
        xs = dropout(input_key, xs, self.config.input_dropout)
        _, hs = self.lstm(xs, lengths=lengths, key=layer_key)
        pooled = self.pool(hs, lengths)
        pooled = dropout(output_key, pooled, self.config.output_dropout)
        return self.readout(pooled)

    def pool(self, hs: Array, lengths: Array | None = None) -> Array:
        """Make one vector of a row's hidden states, as `config.pooling` says.

        Args:
            hs: (B, T, H'), of both directions where bidirectional.
            lengths: (B,) valid steps per row; all if None.

        Returns:
            What the readout sees, (B, H'), in the dtype of hs; zeros of an empty row. What stands
            in steps that are not valid, NaN too, reaches neither it nor the gradient.
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
            # The least number and not -inf, which an empty row would turn to NaN.
            scores = widened(jnp.where(valid, scores, jnp.finfo(scores.dtype).min))
            mean = (jax.nn.softmax(scores, axis=1) * hs).sum(1)
            return mean.astype(hs.dtype)
        return self._ends(hs, lengths)

    def _ends(self, hs: Array, lengths: Array) -> Array:
        """Take each direction's last step: the backward one's is the first in time."""
        last = jnp.maximum(lengths - 1, 0)[:, None, None]
        ends = jnp.take_along_axis(hs, last, 1)[:, 0]
        if self.config.bidirectional:
            half = hs.shape[-1] // 2
            ends = jnp.concatenate([ends[:, :half], hs[:, 0, half:]], -1)
        return jnp.where(lengths[:, None] > 0, ends, 0)
