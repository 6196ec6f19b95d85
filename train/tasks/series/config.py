"""What a run of a forecaster of a series is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lstm_jax.models.forecaster import ForecasterConfig
from lstm_jax.train.config import Bound, TrainConfig, a_rate, at_least

OWN = (
    "file", "encoding", "time", "time_format", "zone", "every", "resample", "by", "known", "static",
    "gap", "sample",
)  # fmt: skip
"""Fields that are for a table of one's own alone."""
PREDICTED = ("", "level", "change", "return")


@dataclass(frozen=True)
class SeriesConfig(TrainConfig):
    """A training run of a forecaster of a series."""

    data: Literal["sine", "stocks", "weather", "sensor", "own"] = "sine"
    """What to forecast: one of the series of lstm_jax.train.data.series, or a table of your own."""
    file: str = ""
    """The table, a CSV, TSV, JSONL or Parquet file; a row for each time of each series."""
    encoding: str = ""
    """Of the file; UTF-8 if not given."""
    time: str = ""
    """The column with the times; the rows are numbered if not given."""
    time_format: str = ""
    """How times are written, as strptime has it, such as %d.%m.%Y; ISO 8601 if not given."""
    zone: str = ""
    """The time zone of times that name none, such as Europe/Berlin."""
    every: str = ""
    """The time from row to row, such as 30min, 1h, 1d or 1mo; found from the data if not given."""
    resample: Literal["refuse", "mean", "last", "sum"] = "refuse"
    """What to do with times that are not evenly spaced: refuse them, or put into one row what falls
    into one step."""
    target: str = "wave"
    """The column that is forecast, and read."""
    by: tuple[str, ...] = ()
    """The columns that say which series a row is of, where there are several."""
    inputs: tuple[str, ...] = ()
    """Columns that are read beside the target, and known in the past only."""
    known: tuple[str, ...] = ()
    """Columns that are known in the future too, such as prices and holidays."""
    static: tuple[str, ...] = ()
    """Columns with a category that stays the same within a series."""
    calendar: tuple[float, ...] = ()
    """Periods, in rows, the sine and cosine of whose phase are read too."""
    clock: tuple[Literal["month", "weekday", "hour"], ...] = ()
    """What to read off the times, of the past and the future: sines and cosines of these."""
    predict: Literal["", "level", "change", "return"] = "level"
    """What the model says of a step to come: the target, its difference to the last value, or ln of
    its ratio to that. For "return" it reads logarithms."""
    read: Literal["level", "change", "relative"] = "level"
    """Read the columns as they are, or their differences from row to row, or how far the target
    lies from its last value in the window."""
    quantiles: tuple[float, ...] = ()
    """Quantiles to forecast, the median in the middle; none forecasts the mean."""
    likelihood: Literal["none", "normal", "student-t", "negative-binomial"] = "none"
    """A distribution to forecast, from which the quantiles are taken; the last is for counts."""
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
    """Share of the rows, just before the test's, that training is judged by; or, from 1 on, their
    number."""
    test: float = 0.2
    """Share of the rows, the last ones, that nothing is fitted to; or, from 1 on, their number. Of
    your own data it may be 0."""
    gap: int = 0
    """Rows between the parts that are left out."""
    sample: int = 0
    """Windows that an epoch draws, some again if there are fewer; 0 takes every one once."""
    model: ForecasterConfig = field(default_factory=ForecasterConfig)
    batch: int = 32
    """Windows of a training step."""

    def bounds(self) -> Iterator[Bound]:
        """What its fields must keep."""
        yield from super().bounds()
        own = self.data == "own"
        # What is 0 or empty is chosen when one's own data are looked at.
        yield from at_least(0 if own else 1, self, "window", "horizon", "season", "batch")
        yield from at_least(0, self, "roll", "gap", "sample")
        yield "target", self.target, bool(self.target), "the column that is forecast"
        for name in OWN:
            given = own or getattr(self, name) == getattr(SeriesConfig, name)
            yield name, getattr(self, name), given, "left alone unless --data is own"
        others = self.target not in self.inputs and len(set(self.inputs)) == len(self.inputs)
        yield "inputs", self.inputs, others, "other columns than the target, each once"
        periods = all(0 < period < math.inf for period in self.calendar)
        yield "calendar", self.calendar, periods, "above 0 and finite"
        yield "clock", self.clock, not self.clock or bool(self.time), "empty without --time"
        q = self.quantiles
        rising = all(a < b for a, b in zip((0.0, *q), (*q, 1.0), strict=True))
        median = not q or (len(q) % 2 == 1 and q[len(q) // 2] == 0.5)
        yield "quantiles", q, rising and median, "rising in (0, 1), with 0.5 in the middle"
        counts = self.likelihood == "negative-binomial"
        said = self.likelihood == "none" or bool(q)
        yield "likelihood", self.likelihood, said, "none without --quantiles"
        predicts = ("level", *([""] if own else [])) if counts else PREDICTED[not own :]
        expected = f"one of {', '.join(filter(None, predicts))}"
        yield "predict", self.predict, self.predict in predicts, expected
        level = self.read != "relative" or self.predict != "level"
        yield "read", self.read, level, "level or change where levels are predicted"
        linear = 0 <= self.model.linear <= (self.window or math.inf)
        yield "model.linear", self.model.linear, linear, f"from 0 to --window, {self.window}"
        changes = self.read == "change" and self.predict != "level" and not self.calendar
        odd = self.model.odd
        plain = not (self.known or self.static or self.clock) and self.likelihood == "none"
        expected = "False unless changes are predicted and nothing but changes is read"
        yield "model.odd", odd, (changes and plain) or not odd, expected
        alone = not self.roll or (not own and not self.inputs and self.predict != "return")
        yield "roll", self.roll, alone, "0 where other columns or returns are read"
        most = math.inf if self.data == "sine" else 0.0
        noise = 0 <= self.noise < math.inf and self.noise <= most
        yield "noise", self.noise, noise, "at least 0 and finite, and 0 but for the sine"
        shares = self.valid, self.test
        for name, value in zip(("valid", "test"), shares, strict=True):
            least = own and name == "test"
            good = 0 < value < math.inf or (least and value == 0)
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
