"""What every run is made of: frozen dataclasses, every field with its meaning and a default.

What a run of one kind has beside that is in `train/tasks/<kind>/config.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, get_args, get_type_hints

import tyro

from lstm_jax.errors import UserError

Bound = tuple[str, object, bool, str]
"""A field's name and value, whether it can be, and what was expected."""

Precision: TypeAlias = Literal["float32", "bfloat16"]
"""Of the numbers that a training loss is computed with."""

OptimizerName: TypeAlias = Literal["adamw", "muon"]

C = TypeVar("C")


class ConfigError(UserError, ValueError):
    """A configuration that cannot be; one line that names the field."""


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW or Muon under a warm-up and a cosine, after clipping by the global norm."""

    learning_rate: float = 2e-3
    """Peak learning rate."""
    warmup_steps: int = 200
    """Steps of linear warm-up from zero."""
    final_fraction: float = 0.01
    """Learning rate at the last step, as a fraction of the peak; 1 keeps it constant."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay, on matrices only."""
    b1: float = 0.9
    """Decay of the first moment."""
    b2: float = 0.99
    """Decay of the second moment."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient."""
    ema: float = 0.0
    """Decay of a moving average of the weights, such as 0.999, which is then validated and kept as
    the model in their place; 0 takes none."""
    name: OptimizerName = "adamw"
    """muon orthogonalises the updates of the layers' kernels; the rest is left to AdamW."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        known = get_args(OptimizerName)
        yield "optimizer.name", self.name, self.name in known, " or ".join(known)
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            yield f"optimizer.{name}", value, 0 < value < math.inf, "above 0 and finite"
        yield from a_rate(self, "b1", "b2", "ema", prefix="optimizer.")
        for name in ("warmup_steps", "weight_decay"):
            value = getattr(self, name)
            yield f"optimizer.{name}", value, 0 <= value < math.inf, "at least 0"
        fraction = self.final_fraction
        yield "optimizer.final_fraction", fraction, 0 <= fraction <= 1, "in [0, 1]"


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What every training run has."""

    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    epochs: int = 5
    """Passes over the training data."""
    seed: int = 0
    """Of the parameters, the order of the data or the data itself, and the dropout masks."""
    precision: Precision = "float32"
    """What the loss and its gradients are computed in. Parameters, optimizer and validation are
    float32 either way. bfloat16 is for accelerators: a CPU is slower with it."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    health_every: int = 200
    """Steps between lines of health.jsonl; 0 writes none. A line costs the time of 2 to 4 steps."""
    checkpoint_every: int = 200
    """Steps between writes of the latest checkpoint; 0 writes at the end of epochs only."""
    keep: Literal[1, 2] = 2
    """Latest checkpoints on the disk: of two, the older is taken where the newer is damaged."""
    max_steps: int | None = None
    """Stop after so many steps, the schedule unchanged; --resume goes on from there."""
    patience: int | None = None
    """End after so many validations in a row without a better one; None goes on to the end."""
    data_sha256: Annotated[str | None, tyro.conf.Suppress, tyro.conf.Fixed] = None
    """Of the files or the frame that a user gave, filled in when they are read: a run goes on with
    the same data only. None for the package's own sets, which are pinned."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep, one after the other: one may lean on those before it."""
        yield from at_least(1, self, "epochs", "log_every")
        yield from at_least(0, self, "health_every", "checkpoint_every")
        yield "seed", self.seed, 0 <= self.seed < 2**32, "in [0, 2**32)"
        yield (
            "precision",
            self.precision,
            self.precision in get_args(Precision),
            "float32 or bfloat16",
        )
        yield from at_least(1, self, "max_steps", "patience")
        yield from self.optimizer.bounds()


def check(config: TrainConfig) -> None:
    """Refuse a configuration that cannot be.

    Args:
        config: of any kind.

    Raises:
        ConfigError: for the first field whose value cannot be.
    """
    for name, value, good, expected in config.bounds():
        if not good:
            raise ConfigError(f"--{name.replace('_', '-')} must be {expected}, got {value}")


def at_least(least: int, config: object, *names: str, prefix: str = "") -> Iterator[Bound]:
    """Give the bounds of numbers from `least` on; a field that may be None may.

    Args:
        least: the smallest that can be.
        config: a dataclass with the fields `names`.
        *names: of the fields.
        prefix: what a user writes before them, such as "model.".
    """
    for name in names:
        value = getattr(config, name)
        yield f"{prefix}{name}", value, value is None or value >= least, f"at least {least}"


def a_rate(config: object, *names: str, prefix: str = "") -> Iterator[Bound]:
    """Give the bounds of rates, in [0, 1).

    Args:
        config, *names, prefix: as in `at_least`.
    """
    for name in names:
        value = getattr(config, name)
        yield f"{prefix}{name}", value, 0 <= value < 1, "in [0, 1)"


def read(path: Path) -> object:
    """Read a run's configuration as JSON has it.

    Args:
        path: of `config.json`.

    Raises:
        ConfigError: no such file, or one that is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as a run's configuration: {error}") from None


def of_card(kind: type[C], card: Mapping[str, Any]) -> C:
    """Take a run's configuration out of the card of its model, which is known to be of a kind.

    Args:
        kind: the class of the configuration.
        card: what `model.json` has of the run.

    Raises:
        ConfigError: as in `build`.
    """
    values = card.get("config", {})
    return build(kind, {name: value for name, value in values.items() if name != "kind"})


def build(kind: type[C], values: object, prefix: str = "") -> C:
    """Make a configuration of what JSON has of it; what is missing has its default.

    Args:
        kind: a dataclass whose fields are of JSON's types, tuples of them, or such dataclasses.
        values: an object of JSON, by the fields' names.
        prefix: of the fields' names, for errors.

    Returns:
        An instance of `kind`, its bounds not checked.

    Raises:
        ConfigError: no object, or a field that does not exist.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"the configuration's {prefix or 'content'} is {values!r}, not an object")
    hints = get_type_hints(kind)
    made = {}
    for name, value in values.items():
        if name not in hints:
            raise ConfigError(f"the configuration has a field {prefix}{name} that does not exist")
        if is_dataclass(hints[name]):
            value = build(hints[name], value, f"{prefix}{name}.")
        made[name] = tuple(value) if isinstance(value, list) else value  # JSON has no tuples
    return kind(**made)
