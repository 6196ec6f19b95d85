"""The configuration of a run on a long-memory problem."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.config import Bound, OptimizerConfig, TrainConfig, at_least, left_alone
from lstm_jax.train.data.memory import LEAST_STEPS

ADAM = OptimizerConfig(
    learning_rate=1e-2, warmup_steps=0, final_fraction=1.0, weight_decay=0.0, b2=0.999
)
"""Adam at a constant rate, the optimizer of the recipes."""


@dataclass(frozen=True)
class FlossingConfig:
    """Configure gradient flossing, updates that pull Lyapunov exponents to 0 (Engelken 2023)."""

    exponents: int = 0
    """Number of Lyapunov exponents to pull to 0, the largest first; 0 turns flossing off."""
    before: int = 0
    """Number of flossing updates before training."""
    every: int = 0
    """Training updates from one flossing update to the next; 0 to floss only before training."""

    def bounds(self) -> Iterator[Bound]:
        """Yield the conditions on the fields."""
        yield from at_least(0, self, "exponents", "before", "every", prefix="flossing.")
        wanted = bool(self.before or self.every)
        given = f"at least 1 with --flossing.before {self.before} and --flossing.every {self.every}"
        yield "flossing.exponents", self.exponents, bool(self.exponents) or not wanted, given


@dataclass(frozen=True)
class MemoryConfig(TrainConfig):
    """Configure a training run on generated sequences that need long memory."""

    problem: Literal["adding", "copy", "order", "flipflop"] = "adding"
    """Problem to learn; see lstm_jax.train.data.memory."""
    steps: int = 100
    """Lag T, in time steps, as defined in the papers; the sequences are a little longer."""
    model: SequenceModelConfig = field(default_factory=SequenceModelConfig)
    batch: int = 100
    """Number of sequences in a training step."""
    sequences: int = 5000
    """Number of training sequences, all new, between two validations on 2,560 held-out ones."""
    stop_wrong: int | None = 3
    """Number of wrong held-out sequences at which training stops; None to never stop early."""
    short_steps: int = 10
    """Lag of the first training sequences if --short-epochs or --grow-epochs is not 0, but at least
    the shortest lag of the problem."""
    short_epochs: int = 0
    """Number of epochs at the short lag, before it grows."""
    grow_epochs: int = 0
    """Number of epochs over which the lag of the training sequences grows to --steps, by the same
    factor in each. The held-out sequences always have the full lag."""
    flossing: FlossingConfig = field(default_factory=FlossingConfig)

    def bounds(self) -> Iterator[Bound]:
        """Yield the conditions on the fields."""
        yield from super().bounds()
        yield from at_least(LEAST_STEPS[self.problem], self, "steps")
        yield from at_least(1, self, "batch", "short_steps")
        whole = self.sequences >= 1 and self.sequences % self.batch == 0
        yield "sequences", self.sequences, whole, f"a multiple of --batch, {self.batch}"
        yield from at_least(0, self, "short_epochs", "grow_epochs", "stop_wrong")
        yield from self.flossing.bounds()
        model = self.model
        yield from at_least(1, model, "hidden_features", "num_layers", prefix="model.")
        bias, longest = model.forget_bias, model.max_timescale
        yield "model.forget_bias", bias, math.isfinite(bias), "finite"
        if longest is not None:
            yield "model.max_timescale", longest, 2 < longest < math.inf, "above 2 and finite"
            chrono = model.cell == "lstm"
            yield "model.max_timescale", longest, chrono, f"None for the {model.cell}"
        plain = model.cell == "lstm" and longest is None
        fits = "False unless the cell is an lstm without --model.max-timescale"
        yield "model.unitary", model.unitary, plain or not model.unitary, fits
        yield from left_alone(
            model, "forget_bias", prefix="model.", allowed=plain and not model.unitary,
            unless="the cell is an lstm without --model.max-timescale and --model.unitary",
        )  # fmt: skip
