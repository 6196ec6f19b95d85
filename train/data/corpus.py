"""A user's own texts: found, read, cut apart, and split without a text on two sides of it."""

from __future__ import annotations

import glob
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_jax.text.lines import read_text
from lstm_jax.train.data.download import DataError

MANY = 10  # documents from which on a part of them is held out, and not a part of each
LONG_LINE = 30  # characters; a shorter line may stand in two texts by chance
BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")

Splits = Mapping[str, tuple[str, ...]]
"""The texts of "train", "valid" and, where some are set aside for it, "test"."""


class Documents(NamedTuple):
    """What a user gave, as it is: files, or texts from Python.

    Args:
        names: of the files, or numbers.
        texts: what each holds, with one line feed at the end of each line.
        size: bytes, of all of them.
        sha256: a digest of all of them, in their order.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    size: int
    sha256: str


def find_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """Find files by their paths, or by patterns such as "novels/*.txt".

    Args:
        patterns: each of which must find a file. Those of a pattern are sorted.

    Returns:
        Absolute paths, each once.

    Raises:
        DataError: a pattern that finds no file; it says which.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        here = Path(pattern).expanduser()
        if here.is_file():
            paths = [here]
        elif here.is_dir():
            raise DataError(f"{pattern} is a folder: give the files in it, as '{pattern}/*.txt'")
        else:
            matches = sorted(glob.glob(str(here), recursive=True))
            paths = [Path(match) for match in matches if Path(match).is_file()]
        if not paths:
            raise DataError(f"there is no file {pattern!r}: give a path, or a pattern in quotes")
        found |= {path.resolve(): None for path in paths}
    return tuple(found)


def read_files(paths: Sequence[Path], encoding: str | None = None) -> Documents:
    """Read text files.

    Args:
        paths: of the files.
        encoding: of all of them; UTF-8 if None.

    Raises:
        TextFileError: a file that cannot be read, is of another encoding, or is binary.
        DataError: there is no text in any of them.
    """
    texts, digests, size = [], [], 0
    for path in paths:
        content, text = read_text(path, encoding)
        texts.append(text)
        digests.append(hashlib.sha256(content).hexdigest())
        size += len(content)
    return _documents([str(path) for path in paths], texts, digests, size)


def take_texts(given: object) -> Documents:
    """Take texts that were handed over in Python.

    Args:
        given: strings.

    Raises:
        DataError: something else, or no text in any of them.
    """
    if not isinstance(given, Sequence):
        raise DataError(f"texts must be a list of strings, got {type(given).__name__}")
    contents = []
    for number, text in enumerate(given):
        if not isinstance(text, str):
            raise DataError(f"texts[{number}] must be a string, got {type(text).__name__}")
        contents.append(text.encode("utf-8", "surrogatepass"))
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    names = [f"text {number}" for number in range(len(given))]
    return _documents(names, list(given), digests, sum(map(len, contents)))


def _documents(
    names: Sequence[str], texts: Sequence[str], digests: Sequence[str], size: int
) -> Documents:
    if not any(text.strip() for text in texts):
        where = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise DataError(f"there is no text in {where or 'an empty list'}: give some to learn from")
    return Documents(tuple(names), tuple(texts), size, digest_of(digests))


def digest_of(digests: Sequence[str]) -> str:
    """Give one digest for several files or texts.

    Args:
        digests: the sha256 of each, in their order.
    """
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def cut(document: str, texts: str) -> list[str]:
    """Cut a document into texts.

    Args:
        document: a file's text.
        texts: "file", which leaves it whole, "line" or "paragraph".

    Returns:
        The texts that hold more than blanks.
    """
    return [part for part in parts_of(document, texts) if part.strip()]


def parts_of(document: str, texts: str) -> list[str]:
    """Cut a document into texts and blanks.

    Args:
        document, texts: as in `cut`.

    Returns:
        The texts, blank ones included.
    """
    if texts == "line":
        # Not splitlines: U+2028 and a form feed stand within a line of a file.
        return document.split("\n")
    if texts == "paragraph":
        return [part.strip("\n") for part in BLANK_LINES.split(document)]
    return [document]


def how_to_cut(documents: Sequence[str]) -> tuple[str, str]:
    """Choose what a text is: a whole document, or a line of one.

    Paragraphs are never chosen: in prose, in plays and in code each goes on where the one before
    it ended, and nothing tells a file of single ones apart from them.

    Args:
        documents: at least one.

    Returns:
        "file" or "line", and why.
    """
    if len(documents) >= MANY:
        return "file", f"{len(documents):,} texts, each whole"
    lines = [line for document in documents for line in document.strip("\n").split("\n")]
    if not all(line.strip() for line in lines):
        return "file", "a running text, with blank lines in it"
    middle, most = np.percentile([len(line) for line in lines], (50, 95))
    if len(lines) < 5 * MANY or (most <= 1.3 * middle and 30 <= middle <= 160):
        return "file", "a running text, in lines of about one width"
    return "line", f"{len(lines):,} lines of different lengths, and no blank one between them"


def split(texts: Sequence[str], *, whole: bool, valid: float, test: float) -> Splits:
    """Hold out a part of the texts: whole ones, or the end of each.

    Args:
        texts: at least one.
        whole: hold out whole texts, by their hash, so that equal texts are on one side; else the
            end of each.
        valid, test: shares of the characters.

    Raises:
        DataError: too few texts, or too short, for something to be in each part.
    """
    parts = _split_whole(texts, valid, test) if whole else _split_each(texts, valid, test)
    empty = [name for name, held in parts.items() if not any(held)]
    if empty:
        count, what = sum(map(len, texts)), "characters"
        if whole:
            count, what = len(set(texts)), "different texts"
        names = " and ".join(empty)
        raise DataError(
            f"{count:,} {what} are too few to set some aside for {names}: give more of them"
            + (", or --texts file" if whole else "")
        )
    return parts


def _split_each(texts: Sequence[str], valid: float, test: float) -> dict[str, tuple[str, ...]]:
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for text in texts:
        first, second = int(len(text) * (1 - (valid + test))), int(len(text) * (1 - test))
        for name, part in zip(
            parts, (text[:first], text[first:second], text[second:]), strict=True
        ):
            parts[name].append(part)
    return {name: tuple(held) for name, held in parts.items() if test or name != "test"}


def _split_whole(texts: Sequence[str], valid: float, test: float) -> dict[str, tuple[str, ...]]:
    sizes = {text: len(text) * copies for text, copies in Counter(texts).items()}
    distinct = sorted(sizes, key=lambda text: hashlib.sha256(_encoded(text)).digest())
    total, middle = sum(sizes.values()), sorted(sizes.values())[len(sizes) // 2]
    side: dict[str, str] = {}
    for name, share in (("test", test), ("valid", valid)):
        held, most = 0, max(1, int(max(share, 1 / 3) * len(distinct)))
        for text in distinct:
            if held >= share * total or most == 0 or len(side) + 1 >= len(distinct):
                break
            # One that is far longer than others would be more than was asked for.
            if text not in side and sizes[text] <= max(2 * share * total, middle):
                side[text] = name
                held += sizes[text]
                most -= 1
    names = ["train", "valid", "test"] if test else ["train", "valid"]
    return {name: tuple(t for t in texts if side.get(t, "train") == name) for name in names}


def copies_of(texts: Iterable[str]) -> int:
    """Count the texts that are there before.

    Args:
        texts: of all splits.
    """
    return sum(count - 1 for count in Counter(texts).values())


def lines_shared(splits: Splits) -> tuple[int, int]:
    """Count the long lines of the held-out texts, and those of them that are in training too.

    Args:
        splits: as `split` gives them.

    Returns:
        How many of them are in training too, and how many there are.
    """
    held = [line for name in splits if name != "train" for line in _long_lines(splits[name])]
    trained = set(_long_lines(splits["train"]))
    return sum(line in trained for line in held), len(held)


def runs_on(texts: Sequence[str], rows: int) -> bool:
    """Say whether whole texts in rows of a batch would leave most of it empty.

    Args:
        texts: to learn from.
        rows: of the batch.
    """
    return rows * max(map(len, texts)) > 2 * sum(map(len, texts))


def _long_lines(texts: Iterable[str]) -> list[str]:
    lines = (line.strip() for text in texts for line in text.split("\n"))
    return [line for line in lines if len(line) >= LONG_LINE]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
