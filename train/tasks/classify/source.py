"""Where a user's own texts or sequences come from, as a configuration names it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples import parts
from lstm_jax.train.data.examples.archive import read_ts
from lstm_jax.train.data.examples.labelled import Rows, read_texts
from lstm_jax.train.data.examples.parts import Labelled
from lstm_jax.train.data.examples.sequences import read_long, with_columns
from lstm_jax.train.data.tables import read_table, some
from lstm_jax.train.tasks.classify.config import ClassifyConfig


def kind_of(config: ClassifyConfig) -> str:
    """Say whether a configuration reads "texts" or "sequences"."""
    return "texts" if config.text or config.tokens else "sequences"


def read_rows(config: ClassifyConfig, given: object = None) -> tuple[Rows, dict[str, Rows]]:
    """Read a user's data.

    Args:
        config: of the run.
        given: a frame, where the data are in no file.

    Returns:
        All examples, and those of the files that were given to validate or test on.

    Raises:
        DataError, TextFileError: as in `read`.
    """
    source = config.file if given is None else given
    if isinstance(source, str) and not source:
        raise DataError(
            "give the data to learn from: --file reviews.csv --text review --label stars"
        )
    rows = read(config, source)
    files = {"valid": config.valid_file, "test": config.test_file}
    held = {name: read(config, file) for name, file in files.items() if file}
    if kind_of(config) == "sequences":
        held = {name: with_columns(one, rows.columns) for name, one in held.items()}
    return rows, held


def read(
    config: ClassifyConfig, source: object, *, labelled: bool = True, columns: Sequence[str] = ()
) -> Rows:
    """Read the examples of one file, or of a frame.

    Args:
        config: of the run.
        source: a path or a frame.
        labelled: whether they have classes.
        columns: of sequences, those that a model reads; as configured if there are none.

    Raises:
        DataError, TextFileError: as in `read`.
    """
    encoding = config.encoding or None
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".ts":
        return read_ts(Path(source), encoding)
    table = read_table(source, encoding=encoding)
    there = f"the columns are {some(table.names)}"
    named = [name for name in ("text", "tokens", "by") if getattr(config, name)]
    if len(named) != 1:
        which = " and ".join(f"--{name}" for name in named)
        raise DataError(
            f"{table.name}: give one of --text, the column with texts, --tokens, with tokens, and "
            f"--by, with the name of the sequence that a row is a step of"
            f"{f', not {which}' if named else ''}; {there}"
        )
    if labelled and not config.label:
        raise DataError(f"{table.name}: give --label, the column with the classes; {there}")
    if config.by:
        return read_long(
            table,
            by=config.by,
            label=config.label if labelled else "",
            time=config.time,
            columns=columns or _apart(config.inputs, table.names),
            group=config.group,
        )
    return read_texts(table, config.text or config.tokens, config.label, config.group)


def arranged(config: ClassifyConfig, rows: Rows, held: dict[str, Rows]) -> Labelled:
    """Split what `read_rows` gives, as a configuration says.

    Raises:
        DataError: as in `read`.
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
    """Give the files of a configuration by their fields, with paths that hold from anywhere."""
    names = ("file", "valid_file", "test_file")
    files = {name: getattr(config, name) for name in names}
    return {name: str(Path(file).absolute()) for name, file in files.items() if file}


def _apart(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Take names apart at their commas, but for a column's that has some in its own."""
    return [
        part.strip()
        for name in names
        for part in ([name] if name in known else name.split(","))
        if part.strip()
    ]
