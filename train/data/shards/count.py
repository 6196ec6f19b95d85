"""Statistics of text files of any size: their digest, the texts of each split, their symbols."""

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
"""Called with the number of bytes that have just been read."""


class Files(NamedTuple):
    """Describe text files and how to read them.

    Args:
        paths: the files.
        encoding: encoding of all files; UTF-8 if None.
        texts: unit of a text: "file", "line" or "paragraph".
        unit: unit of a symbol: "character", "word" or "byte".
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
        """Return the names of the splits."""
        return ("train", "valid", "test") if self.test else ("train", "valid")


@dataclass(frozen=True)
class Counts:
    """Store statistics of the texts.

    Attributes:
        symbols: count of each symbol in the training texts, the most frequent first. If there are
            very many words, the rarest are left out.
        kinds: number of different symbols that were counted.
        total: number of symbols in the training texts.
        characters: number of characters in all texts.
        texts: number of texts in each split, where each piece of a long text counts as one.
        cut: whether any text is longer than a piece.
    """

    symbols: dict[str, int]
    kinds: int
    total: int
    characters: int
    texts: dict[str, int]
    cut: bool


def sha256_of(paths: Sequence[Path]) -> str:
    """Compute one digest of all files, the same as `corpus.read_files` does.

    Args:
        paths: the files.

    Raises:
        DataError: if a file cannot be read.
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
    """Count the texts and symbols of files.

    Args:
        files: the files to read.

    Raises:
        TextFileError: as in `prepare`.
        DataError: if there are too few texts to fill every split.
    """
    counter, texts, characters, whole = symbols.counter(files.unit), Counter(), 0, True
    with bar("Counting", files.paths) as read:
        for split, pieces in splits_of(files, read):
            characters += sum(map(len, pieces.texts))
            texts[split] += len(pieces.texts)
            whole = whole and all(pieces.ends)
            if split == "train":
                counter.add(pieces.texts)
    empty = [split for split in files.splits if not texts[split]]
    if empty:
        raise DataError(
            f"{texts.total():,} texts, or pieces of longer ones, are too few to set some aside for "
            f"{' and '.join(empty)}: provide more text, or use --stream False, which cuts it finer"
        )
    counts = counter.counts()
    kept, number = (
        symbols.table(counts, files.unit),
        {split: texts[split] for split in files.splits},
    )
    return Counts(kept, len(counts), counter.total, characters, number, not whole)


def splits_of(files: Files, read: Read) -> Iterator[tuple[str, Pieces]]:
    """Read the texts of files and assign each to a split by its hash.

    Equal texts are in the same split.

    Args:
        files: the files to read.
        read: called with the number of bytes of each read.

    Yields:
        The name of a split, and some of its texts.

    Raises:
        TextFileError: if a file has another encoding or is binary; the message names the byte.
    """
    bounds = np.array([files.test, files.test + files.valid]) * 2**32
    for path in files.paths:
        for pieces in read_pieces(path, files.encoding, files.texts, read=read):
            hashes = np.fromiter(map(_hash, pieces.texts), np.uint32, len(pieces.texts))
            sides = np.searchsorted(bounds, hashes, "right")
            for side, split in enumerate(("test", "valid", "train")):
                chosen = np.flatnonzero(sides == side).tolist()
                if len(chosen) == len(pieces.texts):
                    yield split, pieces
                elif chosen:
                    texts = [pieces.texts[place] for place in chosen]
                    yield split, Pieces(texts, [pieces.ends[place] for place in chosen])


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


@contextmanager
def bar(title: str, paths: Sequence[Path]) -> Iterator[Read]:
    """Show a progress bar of the bytes read, if stderr is a terminal.

    Args:
        title: name of the activity, such as "Counting".
        paths: the files that will be read.

    Yields:
        A function to call with the number of bytes of each read.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda more: None
        return
    size = sum(path.stat().st_size for path in paths)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=size)
        yield lambda more: progress.advance(task, more)
