"""What a run on a long-memory problem is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.config import Bound, OptimizerConfig, TrainConfig, at_least
from lstm_jax.train.data.memory import LEAST_STEPS

ADAM = OptimizerConfig(
    learning_rate=1e-2, warmup_steps=0, final_fraction=1.0, weight_decay=0.0, b2=0.999
)
"""Adam at a constant rate, by which the recipes learn."""


@dataclass(frozen=True)
class MemoryConfig(TrainConfig):
    """A training run on a problem that needs long memory, its sequences generated."""

    problem: Literal["adding", "copy", "order"] = "adding"
    """What to learn; see lstm_jax.train.data.memory."""
    steps: int = 100
    """The lag T that the papers name, in time steps; the sequences are somewhat longer."""
    model: SequenceModelConfig = field(default_factory=SequenceModelConfig)
    batch: int = 100
    """Sequences of a training step."""
    sequences: int = 5000
    """Training sequences between two judgements of 2,560 held-out ones: an epoch, all new."""
    stop_wrong: int | None = 3
    """Stop once at most so many of the held-out sequences are wrong; None goes on to the end."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(LEAST_STEPS[self.problem], self, "steps")
        yield from at_least(1, self, "batch")
        whole = self.sequences >= 1 and self.sequences % self.batch == 0
        yield "sequences", self.sequences, whole, f"a multiple of --batch, {self.batch}"
        yield from at_least(0, self, "stop_wrong")
        model = self.model
        yield from at_least(1, model, "hidden_features", "num_layers", prefix="model.")
        bias, longest = model.forget_bias, model.max_timescale
        yield "model.forget_bias", bias, math.isfinite(bias), "finite"
        if longest is not None:
            yield "model.max_timescale", longest, 2 < longest < math.inf, "above 2 and finite"
            chrono = model.cell == "lstm"
            yield "model.max_timescale", longest, chrono, f"None for the {model.cell}"
