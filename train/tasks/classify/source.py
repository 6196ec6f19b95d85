"""Reading of a user's own texts or sequences, by a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples import parts
from lstm_jax.train.data.examples.archive import read_ts
from lstm_jax.train.data.examples.labeled import Rows, read_texts
from lstm_jax.train.data.examples.parts import Labeled
from lstm_jax.train.data.examples.sequences import read_long, with_columns
from lstm_jax.train.data.tables import listed, read_table
from lstm_jax.train.tasks.classify.config import ClassifyConfig

OF_TABLES = ("text", "tokens", "by", "label", "time", "inputs", "group")
"""Fields that name columns of a table."""


def kind_of(config: ClassifyConfig) -> str:
    """Return the kind of examples that a configuration reads: "texts" or "sequences"."""
    return "texts" if config.text or config.tokens else "sequences"


def read_rows(config: ClassifyConfig, given: object = None) -> tuple[Rows, dict[str, Rows]]:
    """Read a user's data.

    Args:
        config: configuration of the run.
        given: a frame, if the data are not in a file.

    Returns:
        All examples, and the examples of separate files for validation or testing.

    Raises:
        DataError, TextFileError: as in `read`.
    """
    source = config.file if given is None else given
    if isinstance(source, str) and not source:
        raise DataError(
            "there are no data to learn from: use --file reviews.csv --text review --label stars"
        )
    rows = read(config, source)
    files = {"valid": config.valid_file, "test": config.test_file}
    held = {name: read(config, file, columns=rows.columns) for name, file in files.items() if file}
    if kind_of(config) == "sequences":
        held = {name: with_columns(part, rows.columns) for name, part in held.items()}
    return rows, held


def read(
    config: ClassifyConfig,
    source: object,
    *,
    labeled: bool = True,
    grouped: bool = True,
    columns: Sequence[str] = (),
) -> Rows:
    """Read the examples of one file, or of a frame.

    Args:
        config: configuration of the run.
        source: a path or a frame.
        labeled: whether the examples have classes.
        grouped: whether the column of groups is read; only the parts of a run depend on it.
        columns: columns that a model of sequences reads; those of `config` if empty.

    Raises:
        DataError: if the data cannot be read, or `config` does not name their columns.
        TextFileError: if a file is not text, or has another encoding.
    """
    encoding = config.encoding or None
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".ts":
        for name in OF_TABLES:
            if getattr(config, name):
                raise DataError(f"--{name} names a column, but {source} is a .ts file without any")
        return read_ts(Path(source), encoding, labeled=labeled)
    table = read_table(source, encoding=encoding)
    available = f"the columns are {listed(table.names)}"
    named = [name for name in ("text", "tokens", "by") if getattr(config, name)]
    if len(named) != 1:
        which = " and ".join(f"--{name}" for name in named)
        raise DataError(
            f"{table.name}: name one of --text (a column with texts), --tokens (a column with "
            f"tokens) and --by (a column that identifies the sequence of a row)"
            f"{f', got {which}' if named else ''}; {available}"
        )
    if labeled and not config.label:
        raise DataError(f"{table.name}: --label must name the column with the classes; {available}")
    group = config.group if grouped else ""
    if config.by:
        return read_long(
            table,
            by=config.by,
            label=config.label if labeled else "",
            time=config.time,
            columns=columns or _apart(config.inputs, table.names),
            group=group,
        )
    return read_texts(table, config.text or config.tokens, config.label, group)


def arranged(config: ClassifyConfig, rows: Rows, held: dict[str, Rows]) -> Labeled:
    """Split the result of `read_rows` into parts.

    Raises:
        DataError: as in `parts.arrange`.
    """
    return parts.arrange(
        rows,
        held,
        valid=config.valid or 0.0,
        test=config.test or 0.0,
        seed=config.seed,
        unit=kind_of(config),
        label=repr(config.label) if config.label else "the class",
    )


def absolute(config: ClassifyConfig) -> dict[str, str]:
    """Return the files of a configuration by their fields, as absolute paths."""
    names = ("file", "valid_file", "test_file")
    files = {name: getattr(config, name) for name in names}
    return {name: str(Path(file).absolute()) for name, file in files.items() if file}


def _apart(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Split names at commas, except for names of columns that contain a comma."""
    return [
        part.strip()
        for name in names
        for part in ([name] if name in known else name.split(","))
        if part.strip()
    ]
