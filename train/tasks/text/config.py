"""What a run of a character language model is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least


@dataclass(frozen=True)
class TextConfig(TrainConfig):
    """A training run of a character language model."""

    data: Literal["tang", "shakespeare", "verses"] = "tang"
    """Texts to learn: Tang poems, tinyshakespeare, or verses that the code generates."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    rows: int = 64
    """Texts read side by side: the batch size B."""
    window: int = 64
    """Characters between truncations of the gradient: T. The state is carried across."""
    min_count: int = 2
    """A character seen less often in the training texts is unknown."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(1, self, "rows", "window", "min_count")
        sizes = ("embedding_features", "hidden_features", "num_layers")
        yield from at_least(1, self.model, *sizes, prefix="model.")
        rates = ("embedding_dropout", "layer_dropout", "output_dropout")
        yield from a_rate(self.model, *rates, prefix="model.")
