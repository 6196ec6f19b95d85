"""Lists of a user's recordings: a folder of folders, one per class, or a table of files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labeled import groups_of, labels_of
from lstm_jax.train.data.tables import read_table

ENDINGS = frozenset(".wav .wave .flac .ogg .oga .opus .mp3 .aif .aiff .au .caf .w64 .rf64".split())
SPLITS = frozenset("train training valid validation val dev test testing eval".split())
SHOWN = 3  # names that a message lists


class Sound(NamedTuple):
    """Store the file of a recording, its name, its class, and its group, if groups are in use."""

    path: Path
    name: str
    label: str
    group: str | None = None


class Left(NamedTuple):
    """Store the name of a recording that is left out, and the reason."""

    name: str
    why: str


@dataclass(frozen=True)
class Listing:
    """Store a list of recordings, whose files have not been opened.

    Attributes:
        name: name of the folder or the table.
        sounds: the recordings, in the order of their names or rows.
        left: rows without a file or a class.
        notes: lines that report skipped files.
    """

    name: str
    sounds: tuple[Sound, ...]
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()


def in_folder(folder: Path, *, pattern: str = "") -> Listing:
    """List the recordings in a folder that has one folder per class.

    Recordings in nested folders belong to the class of the top one. Hidden files and files that do
    not have the ending of a sound file are skipped.

    Args:
        folder: the folder.
        pattern: a regular expression whose first group is the group of a recording in its name.

    Raises:
        DataError: if the folder does not exist, cannot be read, or has no recordings.
    """
    if not folder.is_dir():
        hint = ": use --file for a table" if folder.is_file() else ""
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
        recordings = [file for file in files if file.suffix.lower() in ENDINGS]
        rest = [file for file in files if file not in set(recordings)]
        others.update(file.suffix.lower() or file.name for file in rest)
        empty += [] if recordings else [path.name]
        sounds += [
            Sound(file, str(file.relative_to(folder)), path.name, group_of(file.name, pattern))
            for file in recordings
        ]
    loose = [path.name for path in top if path.is_file() and path.suffix.lower() in ENDINGS]
    if not sounds:
        raise DataError(
            f"{folder} has no recordings in folders of classes: it must have one folder for each "
            f"class, with .wav, .flac or .ogg files in it"
            + (f"; {loose[0]} is not in the folder of a class" if loose else "")
        )
    notes = []
    if others:
        notes.append(f"skipped {_counts(others)}, which are not recordings")
    if loose:
        notes.append(f"skipped {_named(loose)}, not in the folder of a class")
    if empty:
        notes.append(f"skipped {_named(empty)}, without recordings")
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
    """List the recordings in a table that has one row per recording.

    Args:
        source: the table, as for `read_table`.
        path: name of the column with the files, relative to the folder of the table, or to the
            working folder if the table is a frame.
        label: name of the column with the classes.
        group: name of the column with the groups, such as speakers; "" if there is none.
        pattern: as in `in_folder`, if there is no such column.
        encoding: encoding of the table; UTF-8 if "".

    Raises:
        DataError: if the table or a column does not exist, or none of the recordings exists.
    """
    table = read_table(source, encoding=encoding or None)
    base = Path(source).parent if isinstance(source, str | Path) else Path()
    if not path or not label:
        raise DataError(
            f"{table.name} has the columns {', '.join(table.names[:12])}: name the column with the "
            "files with --path, and the column with the classes with --label"
        )
    sounds, left = [], []
    rows = zip(
        labels_of(table, path), labels_of(table, label), groups_of(table, group), strict=True
    )
    for row, (file, word, member) in enumerate(rows):
        missing = path if file is None else label if word is None else ""
        missing = missing or (group if group and member is None else "")
        if missing or file is None or word is None:
            left.append(Left(table.place(row), f"{missing} is empty"))
            continue
        member = member if group else group_of(Path(file).name, pattern)
        sounds.append(Sound(base / file, file, word, member))
    absent = [sound for sound in sounds if not os.path.isfile(sound.path)]
    if len(absent) == len(sounds):
        first = f"{absent[0].path} is missing" if absent else f"{left[0].name}: {left[0].why}"
        raise DataError(f"{table.name}: none of the recordings can be found; the first, {first}")
    return Listing(table.name, tuple(sounds), tuple(left))


def group_of(name: str, pattern: str) -> str | None:
    """Find the group of a recording in the name of its file.

    Args:
        name: name of the file, without its folder.
        pattern: a regular expression with a group; "" if there are no groups.

    Raises:
        DataError: if the pattern does not match the name.
    """
    if not pattern:
        return None
    match = re.search(pattern, name)
    if match is None or match[1] is None:
        raise DataError(f"the pattern {pattern!r} finds no group in the name {name!r}")
    return match[1]


def _entries(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    return [path for path in paths if not _hidden(path.name)]


def _files(folder: Path) -> Iterable[Path]:
    """Yield the files in a folder and its nested folders."""
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
            f"{folder} has the folders {' and '.join(names)}, which are not classes: use the "
            f"folder {folder / names[0]}, or a table of files and classes with --file"
        )
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"the name of the folder {name!r} in {folder} is not UTF-8") from None


def _counts(others: Counter[str]) -> str:
    shown = ", ".join(f"{count:,} {ending}" for ending, count in others.most_common(SHOWN))
    return f"{shown} and more" if len(others) > SHOWN else shown


def _named(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
