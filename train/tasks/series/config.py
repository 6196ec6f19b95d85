"""The configuration of a run that trains a forecaster of series."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least, left_alone

OWN = (
    "file", "encoding", "time", "time_format", "zone", "every", "resample", "by", "known", "static",
    "gap", "sample",
)  # fmt: skip
"""Fields that apply only to a table of your own."""
PREDICTED = ("", "level", "change", "return")


@dataclass(frozen=True)
class SeriesConfig(TrainConfig):
    """Configure a training run of a forecaster of series."""

    data: Literal["sine", "stocks", "weather", "sensor", "own"] = "sine"
    """Data to forecast: a series of lstm_jax.train.data.series, or a table of your own."""
    file: str = ""
    """Table to forecast: a CSV, TSV, JSONL or Parquet file with one row per time and series."""
    encoding: str = ""
    """Encoding of the file; UTF-8 if not given."""
    time: str = ""
    """Column with the times; rows are numbered if not given."""
    time_format: str = ""
    """Format of the times, as for strptime, such as %d.%m.%Y; ISO 8601 if not given."""
    zone: str = ""
    """Time zone, such as Europe/Berlin, of times without one."""
    every: str = ""
    """Time between rows, such as 30min, 1h, 1d or 1mo; inferred from the data if not given."""
    resample: Literal["refuse", "mean", "last", "sum"] = "refuse"
    """Treatment of unevenly spaced times: refuse them, or combine the rows of each step."""
    target: str = "wave"
    """Column to forecast, which is also an input."""
    by: tuple[str, ...] = ()
    """Columns that identify the series of a row, if there are several series."""
    inputs: tuple[str, ...] = ()
    """Further input columns that are known only in the past."""
    known: tuple[str, ...] = ()
    """Further input columns that are known in the future too, such as prices and holidays."""
    static: tuple[str, ...] = ()
    """Columns with a category that does not change within a series."""
    calendar: tuple[float, ...] = ()
    """Periods, in rows, whose phase is an input, as a sine and a cosine."""
    clock: tuple[Literal["month", "weekday", "hour"], ...] = ()
    """Phases of the times, past and future, that are inputs, as sines and cosines."""
    predict: Literal["", "level", "change", "return"] = "level"
    """Predicted quantity: the target, its change from the last value, or the log of their ratio.
    With "return", the inputs are logarithms too."""
    read: Literal["level", "change", "relative"] = "level"
    """Inputs: the columns, their changes from row to row, or the target minus its last value."""
    quantiles: tuple[float, ...] = ()
    """Quantiles to forecast, with the median in the middle; the mean is forecast if empty."""
    likelihood: Literal["none", "normal", "student-t", "negative-binomial"] = "none"
    """Distribution to forecast, which yields the quantiles; negative-binomial is for counts."""
    window: int = 50
    """Number of rows that the model reads."""
    horizon: int = 1
    """Number of steps that the model forecasts at once."""
    roll: int = 0
    """Steps of an additional forecast in evaluate that reads its own forecasts; 0 for none."""
    season: int = 50
    """Number of rows in a season, which the seasonal naive forecast repeats."""
    noise: float = 0.0
    """Standard deviation of the noise that is added to the sine."""
    valid: float = 0.15
    """Share of the rows for validation, before the test part; a number of rows if 1 or more."""
    test: float = 0.2
    """Share of the rows for testing, at the end; a number of rows if 1 or more.
    It may be 0 for your own data."""
    gap: int = 0
    """Number of rows that are left out between the parts; chosen if 0."""
    sample: int = 0
    """Windows drawn in each epoch, with repetition if there are fewer; chosen if 0.
    Of the data of the package, every window is drawn once."""
    model: ForecasterConfig = field(default_factory=ForecasterConfig)
    batch: int = 32
    """Number of windows in a training step."""

    def bounds(self) -> Iterator[Bound]:
        """Yield the conditions on the fields."""
        yield from super().bounds()
        own = self.data == "own"
        # For a table of one's own, 0 and empty values are replaced by choices from the data.
        yield from at_least(0 if own else 1, self, "window", "horizon", "season", "batch")
        yield from at_least(0, self, "roll", "gap", "sample")
        yield "target", self.target, bool(self.target), "the column to forecast"
        yield from left_alone(self, *OWN, unless="--data is own", allowed=own)
        distinct = self.target not in self.inputs and len(set(self.inputs)) == len(self.inputs)
        yield "inputs", self.inputs, distinct, "different columns, without the target"
        periods = all(0 < period < math.inf for period in self.calendar)
        yield "calendar", self.calendar, periods, "above 0 and finite"
        yield "clock", self.clock, not self.clock or bool(self.time), "empty without --time"
        q = self.quantiles
        rising = all(a < b for a, b in zip((0.0, *q), (*q, 1.0), strict=True))
        median = not q or (len(q) % 2 == 1 and q[len(q) // 2] == 0.5)
        yield "quantiles", q, rising and median, "increasing in (0, 1), with 0.5 in the middle"
        counts = self.likelihood == "negative-binomial"
        drawn = self.likelihood == "none" or bool(q)
        yield "likelihood", self.likelihood, drawn, "none without --quantiles"
        predicts = ("level", *([""] if own else [])) if counts else PREDICTED[not own :]
        expected = f"one of {', '.join(filter(None, predicts))}"
        yield "predict", self.predict, self.predict in predicts, expected
        level = self.read != "relative" or self.predict != "level"
        yield "read", self.read, level, "level or change if levels are predicted"
        linear = 0 <= self.model.linear <= (self.window or math.inf)
        yield "model.linear", self.model.linear, linear, f"from 0 to --window, {self.window}"
        changes = self.read == "change" and self.predict != "level" and not self.calendar
        odd = self.model.odd
        plain = not (self.known or self.static or self.clock) and self.likelihood == "none"
        expected = "False unless changes are predicted and all inputs are changes"
        yield "model.odd", odd, (changes and plain) or not odd, expected
        alone = not own and not self.inputs and self.predict != "return"
        fed = self.read != "relative" and self.likelihood == "none"
        expected = "0 if there are other input columns, returns, relative inputs or a likelihood"
        yield "roll", self.roll, (alone and fed) or not self.roll, expected
        maximum = math.inf if self.data == "sine" else 0.0
        noise = 0 <= self.noise < math.inf and self.noise <= maximum
        yield "noise", self.noise, noise, "at least 0 and finite, and 0 for data other than sine"
        shares = self.valid, self.test
        for name, value in zip(("valid", "test"), shares, strict=True):
            zero_allowed = own and name == "test"
            good = 0 < value < math.inf or (zero_allowed and value == 0)
            yield (
                name,
                value,
                good and (value < 1 or (own and value % 1 == 0)),
                ("in (0, 1)" if not own else "a share below 1, or a number of rows"),
            )
        both = sum(share for share in shares if share < 1)
        yield "test", self.test, both < 1, f"below 1 - {self.valid}"
        yield from at_least(0 if own else 1, self.model, "hidden_features", prefix="model.")
        yield from at_least(1, self.model, "num_layers", prefix="model.")
        yield from a_rate(self.model, "layer_dropout", "output_dropout", prefix="model.")
