"""A user's recordings: a folder with a folder for each class, or a table of files and classes."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labelled import groups_of, labels_of
from lstm_jax.train.data.tables import read_table

ENDINGS = frozenset(".wav .wave .flac .ogg .oga .opus .mp3 .aif .aiff .au .caf .w64 .rf64".split())
SPLITS = frozenset("train training valid validation val dev test testing eval".split())
SHOWN = 3  # names, in a line


class Sound(NamedTuple):
    """A file, what to call it, its class, and whom it is of; the latter None if nobody asked."""

    path: Path
    name: str
    label: str
    group: str | None = None


class Left(NamedTuple):
    """What is left out, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Listing:
    """Recordings as they are listed, none of them opened yet.

    Attributes:
        name: of the folder or the table.
        sounds: in the order of their names, or of the rows.
        left: rows without a file or a class.
        notes: lines on what was passed over.
    """

    name: str
    sounds: tuple[Sound, ...]
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()


def in_folder(folder: Path, *, pattern: str = "") -> Listing:
    """List a folder that holds a folder for each class.

    Recordings in folders further down are of the class above them. Hidden files and files with
    other endings than those of sounds are passed over.

    Args:
        folder: the folder.
        pattern: a regular expression whose first group finds a recording's group in its name.

    Raises:
        DataError: no such folder, one that cannot be read, or nothing in it.
    """
    if not folder.is_dir():
        hint = ": give a table with --file" if folder.is_file() else ""
        raise DataError(f"there is no folder {folder}{hint}")
    top = _entries(folder)
    classes = [path for path in top if path.is_dir()]
    names = [path.name for path in classes]
    _check_names(folder, names)
    sounds: list[Sound] = []
    others: Counter[str] = Counter()
    empty = []
    for path in classes:
        files = [file for file in _files(path) if file.is_file()]
        own = [file for file in files if file.suffix.lower() in ENDINGS]
        others.update(file.suffix.lower() or file.name for file in files if file not in set(own))
        empty += [] if own else [path.name]
        sounds += [
            Sound(file, str(file.relative_to(folder)), path.name, group_of(file.name, pattern))
            for file in own
        ]
    loose = [path.name for path in top if path.is_file() and path.suffix.lower() in ENDINGS]
    if not sounds:
        raise DataError(
            f"{folder} has no recordings in folders of their classes: it is to have a folder for "
            f"each class, with .wav, .flac or .ogg files in it"
            + (f"; {loose[0]} is in no class's folder" if loose else "")
        )
    notes = []
    if others:
        notes.append(f"passed over: {_counts(others)}, which are no recordings")
    if loose:
        notes.append(f"passed over: {_named(loose)}, in no class's folder")
    if empty:
        notes.append(f"passed over: {_named(empty)}, with no recording in it")
    return Listing(str(folder), tuple(sounds), notes=tuple(notes))


def in_table(
    source: object,
    *,
    path: str,
    label: str,
    group: str = "",
    pattern: str = "",
    encoding: str = "",
) -> Listing:
    """List a table that has a row for each recording.

    Args:
        source: as `read_table` takes it.
        path: the column with the files, relative to the table's folder, or to the working folder
            if the table is a frame.
        label: the column with the classes.
        group: the column that says whom a recording is of; none if "".
        pattern: as in `in_folder`, where there is no such column.
        encoding: of the table's file; UTF-8 if "".

    Raises:
        DataError: no such file or column, or not one recording that is there.
    """
    table = read_table(source, encoding=encoding or None)
    base = Path(source).parent if isinstance(source, str | Path) else Path()
    if not path or not label:
        raise DataError(
            f"{table.name} has the columns {', '.join(table.names[:12])}: say with --path which "
            "one has the files, and with --label which one has the classes"
        )
    sounds, left = [], []
    rows = zip(
        labels_of(table, path), labels_of(table, label), groups_of(table, group), strict=True
    )
    for row, (file, word, who) in enumerate(rows):
        missing = path if file is None else label if word is None else ""
        missing = missing or (group if group and who is None else "")
        if missing or file is None or word is None:
            left.append(Left(table.place(row), f"no {missing} is given"))
            continue
        who = who if group else group_of(Path(file).name, pattern)
        sounds.append(Sound(base / file, file, word, who))
    gone = [sound for sound in sounds if not os.path.isfile(sound.path)]
    if len(gone) == len(sounds):
        first = f"{gone[0].path}, is not there" if gone else f"{left[0].name}, is not named"
        raise DataError(f"{table.name}: not one recording is found; the first, {first}")
    return Listing(table.name, tuple(sounds), tuple(left))


def group_of(name: str, pattern: str) -> str | None:
    """Find the group of a recording in the name of its file.

    Args:
        name: of the file, without its folder.
        pattern: a regular expression with a group; "" finds nothing.

    Raises:
        DataError: a name in which it is not found.
    """
    if not pattern:
        return None
    found = re.search(pattern, name)
    if found is None or found[1] is None:
        raise DataError(f"the pattern {pattern!r} finds no group in the name {name!r}")
    return found[1]


def _entries(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    return [path for path in paths if not _hidden(path.name)]


def _files(folder: Path) -> Iterable[Path]:
    """Give the files below a folder, those of folders further down included."""
    for path in _entries(folder):
        if path.is_dir() and not path.is_symlink():  # a link may lead back up
            yield from _files(path)
        else:
            yield path


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _check_names(folder: Path, names: list[str]) -> None:
    if len(names) > 1 and {name.lower() for name in names} <= SPLITS:
        raise DataError(
            f"{folder} has the folders {' and '.join(names)}, which are no classes: give the "
            f"folder {folder / names[0]}, or a table of files and classes with --file"
        )
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"the folder {name!r} in {folder} is not named in UTF-8") from None


def _counts(others: Counter[str]) -> str:
    shown = ", ".join(f"{count:,} {ending}" for ending, count in others.most_common(SHOWN))
    return f"{shown} and more" if len(others) > SHOWN else shown


def _named(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
