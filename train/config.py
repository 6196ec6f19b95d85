"""What a run is made of: frozen dataclasses, every field with its meaning and a default."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

from lstm_jax.errors import UserError
from lstm_jax.files import write_whole
from lstm_jax.models.char_lm import CharLMConfig
from lstm_jax.models.classifier import SequenceClassifierConfig
from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.models.sequence_model import SequenceModelConfig
from lstm_jax.train.data.memory import LEAST_STEPS

Bound = tuple[str, Any, bool, str]
"""A field's name and value, whether it can be, and what was expected."""


class ConfigError(UserError, ValueError):
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

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            yield f"optimizer.{name}", value, 0 < value < math.inf, "above 0 and finite"
        for name in ("b1", "b2"):
            value = getattr(self, name)
            yield f"optimizer.{name}", value, 0 <= value < 1, "in [0, 1)"
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
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    health_every: int = 200
    """Steps between lines of health.jsonl; 0 writes none. A line costs the time of 2 to 4 steps."""
    checkpoint_every: int = 200
    """Steps between writes of the latest checkpoint; 0 writes at the end of epochs only."""
    max_steps: int | None = None
    """Stop after so many steps, the schedule unchanged; --resume goes on from there."""
    patience: int | None = None
    """End after so many validations in a row without a better one; None goes on to the end."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep, one after the other: one may lean on those before it."""
        yield from at_least(1, self, "epochs", "log_every")
        yield from at_least(0, self, "health_every", "checkpoint_every")
        yield "seed", self.seed, 0 <= self.seed < 2**32, "in [0, 2**32)"
        for name in ("max_steps", "patience"):
            if getattr(self, name) is not None:
                yield from at_least(1, self, name)
        yield from self.optimizer.bounds()


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
        if self.stop_wrong is not None:
            yield from at_least(0, self, "stop_wrong")
        model = self.model
        yield from at_least(1, model, "hidden_features", "num_layers", prefix="model.")
        bias, longest = model.forget_bias, model.max_timescale
        yield "model.forget_bias", bias, math.isfinite(bias), "finite"
        if longest is not None:
            yield "model.max_timescale", longest, 2 < longest < math.inf, "above 2 and finite"
            chrono = model.cell == "lstm"
            yield "model.max_timescale", longest, chrono, f"None for the {model.cell}"


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


@dataclass(frozen=True)
class SentimentConfig(ClassifierConfig):
    """A training run of a judge of sentences: do they like it or not?"""

    learn: Literal["sentences", "phrases", "neutral"] = "neutral"
    """Sentences alone, every phrase of theirs that is not neutral too, or the neutral ones as well,
    which may be either: half and half."""
    words: int = 1024
    """Words of a training step, padding included; at most 128 phrases."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(64, self, "words")


@dataclass(frozen=True)
class SpeechConfig(ClassifierConfig):
    """A training run of a listener to spoken digits."""

    batch: int = 32
    """Recordings of a training step."""
    masks: int = 0
    """Bands of frequency and stretches of time to hide from each training recording, so many of
    each (SpecAugment, Park et al. 2019)."""
    left_out: str | None = None
    """A speaker that is neither trained nor validated on, whose every recording is the test."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(1, self, "batch")
        yield from at_least(0, self, "masks")


@dataclass(frozen=True)
class SeriesConfig(TrainConfig):
    """A training run of a forecaster of a series."""

    data: Literal["sine", "stocks", "weather", "sensor"] = "sine"
    """What to forecast; see lstm_jax.train.data.series."""
    target: str = "wave"
    """The column that is forecast, and read."""
    inputs: tuple[str, ...] = ()
    """Columns that are read beside it."""
    calendar: tuple[float, ...] = ()
    """Periods, in rows, the sine and cosine of whose phase are read too."""
    predict: Literal["level", "change", "return"] = "level"
    """What the model says of a step to come: the target, its difference to the last value, or ln of
    its ratio to that. For "return" it reads logarithms."""
    read: Literal["level", "change"] = "level"
    """Read the columns as they are, or their differences from row to row."""
    quantiles: tuple[float, ...] = ()
    """Quantiles to forecast, the median in the middle; none forecasts the mean."""
    window: int = 50
    """Rows that are read."""
    horizon: int = 1
    """Steps that are forecast, all at once."""
    roll: int = 0
    """Steps of a forecast that reads its own forecasts, which evaluate adds; 0 adds none."""
    season: int = 50
    """Rows after which the seasonal naive forecast repeats what was."""
    noise: float = 0.0
    """Standard deviation of the noise on the sine."""
    valid: float = 0.15
    """Share of the rows, just before the test's, that training is judged by."""
    test: float = 0.2
    """Share of the rows, the last ones, that nothing is fitted to."""
    model: ForecasterConfig = field(default_factory=ForecasterConfig)
    batch: int = 32
    """Windows of a training step."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        yield from at_least(1, self, "window", "horizon", "season", "batch")
        yield from at_least(0, self, "roll")
        others = self.target not in self.inputs and len(set(self.inputs)) == len(self.inputs)
        yield "inputs", self.inputs, others, "other columns than the target, each once"
        periods = all(0 < period < math.inf for period in self.calendar)
        yield "calendar", self.calendar, periods, "above 0 and finite"
        q = self.quantiles
        rising = all(a < b for a, b in zip((0.0, *q), (*q, 1.0), strict=True))
        median = not q or (len(q) % 2 == 1 and q[len(q) // 2] == 0.5)
        yield "quantiles", q, rising and median, "rising in (0, 1), with 0.5 in the middle"
        linear = 0 <= self.model.linear <= self.window
        yield "model.linear", self.model.linear, linear, f"from 0 to --window, {self.window}"
        changes = self.read == "change" and self.predict != "level" and not self.calendar
        odd = self.model.odd
        expected = "False unless changes are predicted and nothing but changes is read"
        yield "model.odd", odd, changes or not odd, expected
        alone = not self.roll or (not self.inputs and self.predict != "return")
        yield "roll", self.roll, alone, "0 where other columns or returns are read"
        most = math.inf if self.data == "sine" else 0.0
        noise = 0 <= self.noise < math.inf and self.noise <= most
        yield "noise", self.noise, noise, "at least 0 and finite, and 0 but for the sine"
        for name in ("valid", "test"):
            value = getattr(self, name)
            yield name, value, 0 < value < 1, "in (0, 1)"
        yield "test", self.test, self.valid + self.test < 1, f"below 1 - {self.valid}"
        yield from at_least(1, self.model, "hidden_features", "num_layers", prefix="model.")
        yield from a_rate(self.model, "layer_dropout", "output_dropout", prefix="model.")


KINDS = {
    "text": TextConfig,
    "memory": MemoryConfig,
    "sentiment": SentimentConfig,
    "speech": SpeechConfig,
    "series": SeriesConfig,
}
"""The name that a stored configuration has -> its class."""


def check(config: TrainConfig) -> None:
    """Raise a ConfigError for the first field whose value cannot be."""
    for name, value, good, expected in config.bounds():
        if not good:
            raise ConfigError(f"--{name.replace('_', '-')} must be {expected}, got {value}")


def at_least(least: int, config: Any, *names: str, prefix: str = "") -> Iterator[Bound]:
    """Bounds of numbers from `least` on."""
    for name in names:
        value = getattr(config, name)
        yield f"{prefix}{name}", value, value >= least, f"at least {least}"


def a_rate(config: Any, *names: str, prefix: str = "") -> Iterator[Bound]:
    """Bounds of shares of what is dropped."""
    for name in names:
        value = getattr(config, name)
        yield f"{prefix}{name}", value, 0 <= value < 1, "in [0, 1)"


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
    write_whole(path, json.dumps(to_dict(config), indent=2) + "\n")


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

    def made(name: str, value: Any) -> Any:
        if is_dataclass(hints[name]):
            return _build(hints[name], value, f"{prefix}{name}.")
        return tuple(value) if isinstance(value, list) else value  # JSON has no tuples

    return kind(**{name: made(name, value) for name, value in values.items()})
