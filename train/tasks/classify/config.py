"""What a run of a classifier of sequences is made of, whatever it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least


@dataclass(frozen=True)
class ClassifierConfig(TrainConfig):
    """A training run of a model that reads a whole sequence and says of what class it is."""

    model: SequenceClassifierConfig = field(default_factory=SequenceClassifierConfig)
    validations: int = 1
    """Validations in a pass over the training data: an epoch is one part in so many of it."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(1, self, "validations")
        sizes = ("embedding_features", "hidden_features", "num_layers")
        yield from at_least(1, self.model, *sizes, prefix="model.")
        rates = ("word_dropout", "input_dropout", "layer_dropout", "output_dropout")
        yield from a_rate(self.model, *rates, prefix="model.")
