"""The format of the times of a table, so that results are written in the same format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

import numpy as np

from lstm_jax.train.data.panels.times import PLAIN, offset_name, to_wall, zone_of


@dataclass(frozen=True)
class Form:
    """Describe the format of times in a table.

    Attributes:
        kind: "row" numbers rows; "epoch" counts from 1970; "text" follows a pattern, and "digits"
            is such a text as a number; "date" and "datetime" are Python objects.
        pattern: the pattern, as for strftime.
        zone: time zone of the clock; "" if no zone was set.
        offset: notation of the offset from UTC, "Z" or "+00:00"; "" if times have no offset.
        scale: units of an "epoch" per second, a power of 1000.
    """

    kind: Literal["row", "epoch", "text", "digits", "date", "datetime"] = "row"
    pattern: str = ""
    zone: str = ""
    offset: str = ""
    scale: int = 1

    def write(self, times: np.ndarray) -> list[Any]:
        """Write times in the format of the table.

        Args:
            times: (N,), in UTC, or row numbers.
        """
        if self.kind == "row":
            return times.tolist()
        if self.kind == "epoch":
            return (times.astype(PLAIN).astype(np.int64) * self.scale).tolist()
        if self.offset and self.kind == "datetime":
            zone = zone_of(self.zone)
            return [t.replace(tzinfo=UTC).astimezone(zone) for t in times.astype(PLAIN).tolist()]
        wall = to_wall(times, self.zone).astype(PLAIN)
        if self.kind in ("date", "datetime"):
            return [t.date() if self.kind == "date" else t for t in wall.tolist()]
        texts = [t.strftime(self.pattern) for t in wall.tolist()]
        if self.kind == "digits":
            return [int(text) for text in texts]
        if self.offset != "+00:00":
            return [text + self.offset for text in texts]
        ahead = (wall - times).astype(np.int64).tolist()
        return [text + offset_name(seconds) for text, seconds in zip(texts, ahead, strict=True)]
