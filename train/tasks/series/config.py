"""What a run of a forecaster of a series is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least


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
