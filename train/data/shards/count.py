"""What is in text files of any size: their digest, their texts by splits, their symbols."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from lstm_jax.train.data.corpus import digest_of
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.shards import symbols
from lstm_jax.train.data.shards.pieces import Pieces, read_pieces

Read = Callable[[int], None]
"""Is told how many bytes more were read."""


class Files(NamedTuple):
    """Text files, and how to read them.

    Args:
        paths: of the files.
        encoding: of all of them; UTF-8 if None.
        texts: what a text is: "file", "line" or "paragraph".
        unit: of the symbols.
        valid, test: shares of the texts that are held out.
    """

    paths: tuple[Path, ...]
    encoding: str | None
    texts: str
    unit: str
    valid: float
    test: float

    @property
    def splits(self) -> tuple[str, ...]:
        """Name the splits that there are."""
        return ("train", "valid", "test") if self.test else ("train", "valid")


@dataclass(frozen=True)
class Counts:
    """What is in the texts.

    Attributes:
        symbols: of the training texts, how often each is there, the most frequent first; of very
            many words the rarest are left out.
        kinds: how many different ones were counted.
        total: symbols of the training texts.
        characters: of all texts.
        texts: of each split, how many: whole ones, and pieces of longer ones.
        cut: whether some are longer than a piece.
    """

    symbols: dict[str, int]
    kinds: int
    total: int
    characters: int
    texts: dict[str, int]
    cut: bool


def sha256_of(paths: Sequence[Path]) -> str:
    """Give one digest of files, as `corpus.read_files` does.

    Args:
        paths: of the files.

    Raises:
        DataError: one cannot be read.
    """
    digests = []
    with bar("Checking", paths) as read:
        for path in paths:
            digest = hashlib.sha256()
            try:
                with path.open("rb") as file:
                    while content := file.read(2**22):
                        digest.update(content)
                        read(len(content))
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror}") from None
            digests.append(digest.hexdigest())
    return digest_of(digests)


def count(files: Files) -> Counts:
    """Count what is in files.

    Args:
        files: to read.

    Raises:
        TextFileError: as in `prepare`.
        DataError: too few texts for some to be in each split.
    """
    counter, texts, characters, whole = symbols.counter(files.unit), Counter(), 0, True
    with bar("Counting", files.paths) as read:
        for split, found in splits_of(files, read):
            characters += sum(map(len, found.texts))
            texts[split] += len(found.texts)
            whole = whole and all(found.ends)
            if split == "train":
                counter.add(found.texts)
    empty = [split for split in files.splits if not texts[split]]
    if empty:
        raise DataError(
            f"{texts.total():,} texts, or pieces of longer ones, are too few to set some aside for "
            f"{' and '.join(empty)}: give more text, or --stream False, which cuts it finer"
        )
    counts = counter.found()
    kept, number = (
        symbols.table(counts, files.unit),
        {split: texts[split] for split in files.splits},
    )
    return Counts(kept, len(counts), counter.total, characters, number, not whole)


def splits_of(files: Files, read: Read) -> Iterator[tuple[str, Pieces]]:
    """Read the texts of files, those of a split together: by their hash, so that equal ones are.

    Args:
        files: to read.
        read: is told how many bytes were read.

    Yields:
        The split, and some of its texts.

    Raises:
        TextFileError: a file that is of another encoding, or binary; it says at which byte.
    """
    bounds = np.array([files.test, files.test + files.valid]) * 2**32
    for path in files.paths:
        for found in read_pieces(path, files.encoding, files.texts, read=read):
            hashes = np.fromiter(map(_hash, found.texts), np.uint32, len(found.texts))
            sides = np.searchsorted(bounds, hashes, "right")
            for side, split in enumerate(("test", "valid", "train")):
                chosen = np.flatnonzero(sides == side).tolist()
                if len(chosen) == len(found.texts):
                    yield split, found
                elif chosen:
                    texts = [found.texts[place] for place in chosen]
                    yield split, Pieces(texts, [found.ends[place] for place in chosen])


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


@contextmanager
def bar(what: str, paths: Sequence[Path]) -> Iterator[Read]:
    """Show on a terminal how many bytes of files were read.

    Args:
        what: is done.
        paths: of the files.

    Yields:
        What is to be told of each read.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda more: None
        return
    size = sum(path.stat().st_size for path in paths)
    shown = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*shown, console=console, transient=True) as progress:
        task = progress.add_task(what, total=size)
        yield lambda more: progress.advance(task, more)
