"""What a run is made of: frozen dataclasses, every field with its meaning and a default."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

from lstm_jax.models import CharLMConfig


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
    """Learning rate at the last step, as a fraction of the peak."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay, on matrices only."""
    b1: float = 0.9
    """Decay of the first moment."""
    b2: float = 0.99
    """Decay of the second moment."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient."""


@dataclass(frozen=True)
class TrainConfig:
    """A training run of a character language model."""

    data: Literal["tang", "verses"] = "tang"
    """Texts to learn: Tang poems, or verses that the code generates."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    epochs: int = 5
    """Passes over the training texts."""
    rows: int = 64
    """Texts read side by side: the batch size B."""
    window: int = 64
    """Characters between truncations of the gradient: T. The state is carried across."""
    min_count: int = 2
    """A character seen less often in the training texts is unknown."""
    seed: int = 0
    """Of the parameters, the order of the texts and the dropout masks."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    checkpoint_every: int = 200
    """Steps between writes of the latest checkpoint; 0 writes at the end of epochs only."""
    max_steps: int | None = None
    """Stop after so many steps, the schedule unchanged; --resume goes on from there."""


def check(config: TrainConfig) -> None:
    """Raise a ConfigError for the first field whose value cannot be."""
    bounds: list[tuple[str, float, bool, str]] = [
        ("epochs", config.epochs, config.epochs >= 1, "at least 1"),
        ("rows", config.rows, config.rows >= 1, "at least 1"),
        ("window", config.window, config.window >= 1, "at least 1"),
        ("min-count", config.min_count, config.min_count >= 1, "at least 1"),
        ("seed", config.seed, 0 <= config.seed < 2**32, "in [0, 2**32)"),
        ("log-every", config.log_every, config.log_every >= 1, "at least 1"),
        ("checkpoint-every", config.checkpoint_every, config.checkpoint_every >= 0, "at least 0"),
    ]
    if config.max_steps is not None:
        bounds.append(("max-steps", config.max_steps, config.max_steps >= 1, "at least 1"))
    model, optimizer = config.model, config.optimizer
    for name in ("embedding_features", "hidden_features", "num_layers"):
        value = getattr(model, name)
        bounds.append((f"model.{name}", value, value >= 1, "at least 1"))
    for name in ("embedding_dropout", "layer_dropout", "output_dropout"):
        value = getattr(model, name)
        bounds.append((f"model.{name}", value, 0 <= value < 1, "in [0, 1)"))
    for name in ("learning_rate", "clip_norm"):
        value = getattr(optimizer, name)
        bounds.append((f"optimizer.{name}", value, 0 < value < float("inf"), "above 0 and finite"))
    for name in ("b1", "b2"):
        value = getattr(optimizer, name)
        bounds.append((f"optimizer.{name}", value, 0 <= value < 1, "in [0, 1)"))
    for name in ("warmup_steps", "weight_decay"):
        value = getattr(optimizer, name)
        bounds.append((f"optimizer.{name}", value, 0 <= value < float("inf"), "at least 0"))
    fraction = optimizer.final_fraction
    bounds.append(("optimizer.final_fraction", fraction, 0 <= fraction <= 1, "in [0, 1]"))
    for name, value, good, expected in bounds:
        if not good:
            raise ConfigError(f"--{name.replace('_', '-')} must be {expected}, got {value}")


def save(config: TrainConfig, path: Path) -> None:
    """Write a configuration as JSON, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def load(path: Path) -> TrainConfig:
    """Read a configuration that `save` wrote.

    Raises:
        ConfigError: not JSON, or with a field that does not exist.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a run's configuration: {error}") from None
    return _build(TrainConfig, values, "")


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
