"""Configuration of a training run: frozen dataclasses that document every field and its default.

The fields that only one kind of run has are in `train/tasks/<kind>/config.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import chain
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import tyro

from lstm_jax.errors import UserError

Bound = tuple[str, object, bool, str]
"""A field's name, its value, whether the value is valid, and what was expected."""

Precision: TypeAlias = Literal["float32", "bfloat16"]
"""The precision in which the training loss is computed."""

OptimizerName: TypeAlias = Literal["adamw", "muon"]

C = TypeVar("C")


class ConfigError(UserError, ValueError):
    """Report an invalid configuration in one line that names the field."""


@dataclass(frozen=True)
class OptimizerConfig:
    """Configure AdamW or Muon with warm-up, cosine decay and clipping by the global norm."""

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
    """Decay of a moving average of the weights, such as 0.999; 0 means no average.
    The average is validated and saved as the model, instead of the weights themselves."""
    name: OptimizerName = "adamw"
    """Optimizer; muon orthogonalizes the updates of the layers' kernels.
    All other parameters are updated by AdamW in either case."""

    def bounds(self) -> Iterator[Bound]:
        """Yield a bound for each field."""
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
    """Configure a training run of any kind."""

    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    epochs: int = 5
    """Passes over the training data."""
    seed: int = 0
    """Random seed of the parameters, the dropout masks, and the data or their order."""
    precision: Precision = "float32"
    """Precision of the loss and its gradients; bfloat16 is for accelerators, and slower on a CPU.
    Parameters, optimizer and validation are always float32."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    health_every: int = 200
    """Steps between lines of health.jsonl, each of which costs 2 to 4 steps; 0 writes none."""
    health_exponents: int = 0
    """Number of largest Lyapunov exponents of the layers in each line of health.jsonl; 8 of
    them cost up to one step. Bidirectional layers and layers with connections have none."""
    checkpoint_every: int = 200
    """Steps between saves of the latest checkpoint; 0 saves only at the end of each epoch."""
    keep: Literal[1, 2] = 2
    """Number of latest checkpoints to keep; with 2, the older one replaces a damaged newer one."""
    max_steps: int | None = None
    """Number of steps to stop after, with an unchanged schedule; --resume continues from there."""
    patience: int | None = None
    """Number of validations in a row without improvement to stop after; None never stops early."""
    data_sha256: Annotated[str | None, tyro.conf.Suppress, tyro.conf.Fixed] = None
    """SHA-256 of the user's files or frame, filled in when they are read, so that a run is resumed
    only with the same data. None for the package's own data sets, which are pinned."""

    def bounds(self) -> Iterator[Bound]:
        """Yield a bound for each field, in order: a later bound may rely on the earlier ones."""
        yield from at_least(1, self, "epochs", "log_every")
        yield from at_least(0, self, "health_every", "health_exponents", "checkpoint_every")
        yield "seed", self.seed, 0 <= self.seed < 2**32, "in [0, 2**32)"
        measured = bool(self.health_every)
        yield from left_alone(
            self, "health_exponents", unless="--health-every is above 0", allowed=measured
        )
        yield from at_least(1, self, "max_steps", "patience")
        yield from self.optimizer.bounds()


def check(config: TrainConfig) -> None:
    """Check that every field of a configuration has a valid value.

    Args:
        config: the configuration of a run of any kind.

    Raises:
        ConfigError: if a value is invalid; the message names the first such field.
    """
    # A later bound may rely on the earlier ones, and so all of them on the types.
    for name, value, valid, expected in chain(of_type(config), config.bounds()):
        if not valid:
            raise ConfigError(f"--{name.replace('_', '-')} must be {expected}, got {value}")


def at_least(least: int, config: object, *names: str, prefix: str = "") -> Iterator[Bound]:
    """Yield bounds for fields that must be at least `least`; None is valid too.

    Args:
        least: the smallest valid value.
        config: a dataclass with the fields `names`.
        *names: the names of the fields.
        prefix: what a user writes before the names, such as "model.".
    """
    for name in names:
        value = getattr(config, name)
        yield f"{prefix}{name}", value, value is None or value >= least, f"at least {least}"


def a_rate(config: object, *names: str, prefix: str = "") -> Iterator[Bound]:
    """Yield bounds for rates, which must be in [0, 1).

    Args:
        config, *names, prefix: as in `at_least`.
    """
    for name in names:
        value = getattr(config, name)
        yield f"{prefix}{name}", value, 0 <= value < 1, "in [0, 1)"


def left_alone(
    config: object, *names: str, unless: str, allowed: bool, prefix: str = ""
) -> Iterator[Bound]:
    """Yield bounds for fields that do not apply, and so must have the default of their class.

    Args:
        config: a dataclass with the fields `names`, which have simple defaults.
        *names: the names of the fields.
        unless: when they apply, as a user would say it.
        allowed: whether they apply.
        prefix: what to put before the names.
    """
    for name in names:
        value = getattr(config, name)
        unchanged = allowed or value == getattr(type(config), name)
        yield f"{prefix}{name}", value, unchanged, f"left alone unless {unless}"


def of_type(config: object, prefix: str = "") -> Iterator[Bound]:
    """Yield a bound for each field, which must have the type that its class declares.

    The command line creates no other values, but Python and config.json may.

    Args:
        config: a dataclass.
        prefix: what to put before the names.
    """
    hints = get_type_hints(type(config))
    for each in fields(config):  # pyright: ignore[reportArgumentType]
        name, hint, value = each.name, hints[each.name], getattr(config, each.name)
        yield f"{prefix}{name}", value, is_of(hint, value), _name_of(hint)
        if is_dataclass(value):
            yield from of_type(value, f"{prefix}{name}.")


def is_of(hint: Any, value: object) -> bool:
    """Return whether a value has a declared type; an integer is a float too, but a bool is not.

    Args:
        hint: a class, a Literal, a union, or a tuple of any length.
        value: the value.
    """
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(is_of(each, value) for each in get_args(hint))
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        return isinstance(value, tuple) and all(is_of(inner, each) for each in value)
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float if hint is float else hint)


def _name_of(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_name_of(each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        return f"a tuple, each element {_name_of(get_args(hint)[0])}"
    names = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    return names.get(hint, "None" if hint is type(None) else f"a {hint.__name__}")


def read(path: Path) -> object:
    """Read a run's configuration as plain JSON values.

    Args:
        path: the path of `config.json`.

    Raises:
        ConfigError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as a run's configuration: {error}") from None


def of_card(kind: type[C], card: Mapping[str, Any]) -> C:
    """Build a run's configuration from the card of its model, if the kind of run is known.

    Args:
        kind: the class of the configuration.
        card: the model's card, from `model.json`.

    Raises:
        ConfigError: as in `build`.
    """
    values = card.get("config", {})
    return build(kind, {name: value for name, value in values.items() if name != "kind"})


def build(kind: type[C], values: object, prefix: str = "") -> C:
    """Build a configuration from JSON values; missing fields get their defaults.

    Args:
        kind: a dataclass whose fields are JSON types, tuples of JSON types, or such dataclasses.
        values: a JSON object whose keys are the names of fields.
        prefix: the prefix of the fields' names in error messages.

    Returns:
        An instance of `kind`, whose bounds have not been checked.

    Raises:
        ConfigError: if `values` is not an object, or names a field that does not exist.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"the configuration's {prefix or 'content'} must be a JSON object, got {values!r}"
        )
    hints = get_type_hints(kind)
    fields = {}
    for name, value in values.items():
        if name not in hints:
            raise ConfigError(f"the configuration has an unknown field {prefix}{name}")
        if is_dataclass(hints[name]):
            value = build(hints[name], value, f"{prefix}{name}.")
        fields[name] = tuple(value) if isinstance(value, list) else value  # JSON has no tuples
    return kind(**fields)
