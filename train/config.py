"""What a run is made of: frozen dataclasses, every field with its meaning and a default."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_type_hints

from lstm_jax.models import CharLMConfig, SequenceModelConfig
from lstm_jax.train.data.memory import LEAST_STEPS


class ConfigError(ValueError):
    """A configuration that cannot be; one line that names the field."""


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW under a warm-up and a cosine, after clipping by the global norm."""

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


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What every training run has."""

    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    epochs: int = 5
    """Passes over the training data."""
    seed: int = 0
    """Of the parameters, the order of the data or the data itself, and the dropout masks."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    health_every: int = 200
    """Steps between lines of health.jsonl; 0 writes none. A line costs the time of 2 to 4 steps."""
    checkpoint_every: int = 200
    """Steps between writes of the latest checkpoint; 0 writes at the end of epochs only."""
    max_steps: int | None = None
    """Stop after so many steps, the schedule unchanged; --resume goes on from there."""


@dataclass(frozen=True)
class TextConfig(TrainConfig):
    """A training run of a character language model."""

    data: Literal["tang", "verses"] = "tang"
    """Texts to learn: Tang poems, or verses that the code generates."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    rows: int = 64
    """Texts read side by side: the batch size B."""
    window: int = 64
    """Characters between truncations of the gradient: T. The state is carried across."""
    min_count: int = 2
    """A character seen less often in the training texts is unknown."""


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


KINDS = {"text": TextConfig, "memory": MemoryConfig}
"""The name that a stored configuration has -> its class."""

Bound = tuple[str, Any, bool, str]


def check(config: TrainConfig) -> None:
    """Raise a ConfigError for the first field whose value cannot be."""
    own = _text_bounds if isinstance(config, TextConfig) else _memory_bounds
    # One after the other, for a bound may lean on those before it.
    for name, value, good, expected in chain(_shared_bounds(config), own(config)):
        if not good:
            raise ConfigError(f"--{name.replace('_', '-')} must be {expected}, got {value}")


def _shared_bounds(config: TrainConfig) -> Iterator[Bound]:
    yield from _at_least(1, config, "epochs", "log_every")
    yield from _at_least(0, config, "health_every", "checkpoint_every")
    yield "seed", config.seed, 0 <= config.seed < 2**32, "in [0, 2**32)"
    if config.max_steps is not None:
        yield from _at_least(1, config, "max_steps")
    optimizer = config.optimizer
    for name in ("learning_rate", "clip_norm"):
        value = getattr(optimizer, name)
        yield f"optimizer.{name}", value, 0 < value < math.inf, "above 0 and finite"
    for name in ("b1", "b2"):
        value = getattr(optimizer, name)
        yield f"optimizer.{name}", value, 0 <= value < 1, "in [0, 1)"
    for name in ("warmup_steps", "weight_decay"):
        value = getattr(optimizer, name)
        yield f"optimizer.{name}", value, 0 <= value < math.inf, "at least 0"
    fraction = optimizer.final_fraction
    yield "optimizer.final_fraction", fraction, 0 <= fraction <= 1, "in [0, 1]"


def _text_bounds(config: TextConfig) -> Iterator[Bound]:
    yield from _at_least(1, config, "rows", "window", "min_count")
    sizes = ("embedding_features", "hidden_features", "num_layers")
    yield from _at_least(1, config.model, *sizes, prefix="model.")
    for name in ("embedding_dropout", "layer_dropout", "output_dropout"):
        value = getattr(config.model, name)
        yield f"model.{name}", value, 0 <= value < 1, "in [0, 1)"


def _memory_bounds(config: MemoryConfig) -> Iterator[Bound]:
    yield from _at_least(LEAST_STEPS[config.problem], config, "steps")
    yield from _at_least(1, config, "batch")
    whole = config.sequences >= 1 and config.sequences % config.batch == 0
    yield "sequences", config.sequences, whole, f"a multiple of --batch, {config.batch}"
    if config.stop_wrong is not None:
        yield from _at_least(0, config, "stop_wrong")
    model = config.model
    yield from _at_least(1, model, "hidden_features", "num_layers", prefix="model.")
    bias, longest = model.forget_bias, model.max_timescale
    yield "model.forget_bias", bias, math.isfinite(bias), "finite"
    if longest is not None:
        yield "model.max_timescale", longest, 2 < longest < math.inf, "above 2 and finite"
        chrono = model.cell == "lstm"
        yield "model.max_timescale", longest, chrono, f"None for the {model.cell}"


def _at_least(least: int, config: Any, *names: str, prefix: str = "") -> Iterator[Bound]:
    for name in names:
        value = getattr(config, name)
        yield f"{prefix}{name}", value, value >= least, f"at least {least}"


def to_dict(config: TrainConfig) -> dict[str, Any]:
    """A configuration for JSON, with its kind."""
    [kind] = [name for name, known in KINDS.items() if known is type(config)]
    return {"kind": kind, **asdict(config)}


def from_dict(values: Any) -> TrainConfig:
    """What `to_dict` was given; a text run where no kind is named, as before there were others.

    Raises:
        ConfigError: an unknown kind, or a field that does not exist.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"the configuration is {values!r}, not an object")
    kind = values.get("kind", "text")
    if kind not in list(KINDS):
        raise ConfigError(f"the configuration is of a kind {kind!r}; known are {', '.join(KINDS)}")
    return _build(KINDS[kind], {name: v for name, v in values.items() if name != "kind"}, "")


def save(config: TrainConfig, path: Path) -> None:
    """Write a configuration as JSON, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(to_dict(config), indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def load(path: Path) -> TrainConfig:
    """Read a configuration that `save` wrote.

    Raises:
        ConfigError: not JSON, of an unknown kind, or with a field that does not exist.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a run's configuration: {error}") from None
    return from_dict(values)


def _build(kind: Any, values: Any, prefix: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"the configuration's {prefix or 'content'} is {values!r}, not an object")
    known = {f.name for f in fields(kind)}
    for name in values:
        if name not in known:
            raise ConfigError(f"the configuration has a field {prefix}{name} that does not exist")
    hints = get_type_hints(kind)
    return kind(
        **{
            name: _build(hints[name], value, f"{prefix}{name}.")
            if is_dataclass(hints[name])
            else value
            for name, value in values.items()
        }
    )
