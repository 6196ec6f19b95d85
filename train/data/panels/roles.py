"""The roles of the columns of a user's table, as named in a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.tables import Table, listed

Names = tuple[str, ...]


class OwnSeries(Protocol):
    """Describe the fields of a configuration, such as `SeriesConfig`, that concern a table."""

    @property
    def file(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def time_format(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def every(self) -> str: ...
    @property
    def resample(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def inputs(self) -> Names: ...
    @property
    def known(self) -> Names: ...
    @property
    def by(self) -> Names: ...
    @property
    def static(self) -> Names: ...
    @property
    def season(self) -> int: ...


@dataclass(frozen=True)
class Roles:
    """Store the columns by their role; `time` is "" if the rows are numbered."""

    time: str
    target: str
    past: Names
    known: Names
    by: Names
    static: Names

    @property
    def names(self) -> Names:
        """Return the names of all columns in use."""
        time = (self.time,) if self.time else ()
        return (*time, self.target, *self.past, *self.known, *self.by, *self.static)


def roles_of(table: Table, config: OwnSeries) -> Roles:
    """Find the columns that a configuration names, separately or joined by commas.

    Args:
        table: the table.
        config: names its columns.

    Raises:
        DataError: if no target is named, or a column is named twice.
    """
    if not config.target:
        raise DataError(
            f"--target must name the column to forecast; {table.name} has {listed(table.names)}"
        )
    lists = (config.inputs, config.known, config.by, config.static)
    past, known, by, static = (_split(table, names) for names in lists)
    roles = Roles(config.time, config.target, past, known, by, static)
    for name in roles.names:
        # A column that tells series apart may also be static.
        if roles.names.count(name) > 1 + (name in by and name in static):
            raise DataError(
                f"the column {name!r} is named twice in --time, --target, --inputs, --known, --by "
                "and --static: name it once"
            )
    return roles


def _split(table: Table, names: Sequence[str]) -> Names:
    """Split names at commas, except for names of columns that contain a comma."""
    columns: list[str] = []
    for name in names:
        whole = "," not in name or name in table.names
        columns += [name] if whole else [part.strip() for part in name.split(",") if part.strip()]
    return tuple(columns)
