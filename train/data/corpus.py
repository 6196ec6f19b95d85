"""Texts of a user: finding, reading and cutting them, and splits that never share a text."""

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

MANY = 10  # from this many documents on, whole documents are held out, not a part of each
LONG_LINE = 30  # characters; a shorter line may appear in two texts by chance
BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")

Splits = Mapping[str, tuple[str, ...]]
"""Texts of "train", "valid" and, if some are set aside for it, "test"."""


class Documents(NamedTuple):
    """Store documents of a user, unchanged: files, or texts from Python.

    Args:
        names: names of the files, or numbers.
        texts: the content of each, with line feeds as line ends.
        size: total size in bytes.
        sha256: a digest of all documents, in their order.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    size: int
    sha256: str


def find_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """Find files by paths, or by patterns such as "novels/*.txt".

    Args:
        patterns: paths and patterns; each must match a file. The matches of a pattern are sorted.

    Returns:
        Absolute paths, each once.

    Raises:
        DataError: if a pattern matches no file.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        place = Path(pattern).expanduser()
        try:
            there = place.is_file()
        except (OSError, ValueError):  # such as a name that is too long: it is the text itself
            raise DataError(
                f"{pattern[:40]!r}... is not the name of a file; in Python, pass texts as texts=[]"
            ) from None
        if there:
            paths = [place]
        elif place.is_dir():
            raise DataError(f"{pattern} is a folder: give the files in it, as '{pattern}/*.txt'")
        else:
            matches = sorted(glob.glob(str(place), recursive=True))
            paths = [Path(match) for match in matches if Path(match).is_file()]
        if not paths:
            raise DataError(f"there is no file {pattern!r}: give a path, or a pattern in quotes")
        files |= {path.resolve(): None for path in paths}
    return tuple(files)


def read_files(paths: Sequence[Path], encoding: str | None = None) -> Documents:
    """Read text files.

    Args:
        paths: the files.
        encoding: encoding of all files; UTF-8 if None.

    Raises:
        TextFileError: if a file cannot be read, has another encoding, or is binary.
        DataError: if all files are empty.
    """
    texts, digests, size = [], [], 0
    for path in paths:
        content, text = read_text(path, encoding)
        texts.append(text)
        digests.append(hashlib.sha256(content).hexdigest())
        size += len(content)
    return _documents([str(path) for path in paths], texts, digests, size)


def take_texts(texts: object) -> Documents:
    """Build documents from texts passed in Python.

    Args:
        texts: a sequence of strings.

    Raises:
        DataError: if `texts` is anything else, or all strings are empty.
    """
    if not isinstance(texts, Sequence):
        raise DataError(f"texts must be a list of strings, got {type(texts).__name__}")
    contents = []
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"texts[{number}] must be a string, got {type(text).__name__}")
        contents.append(text.encode("utf-8", "surrogatepass"))
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    names = [f"text {number}" for number in range(len(texts))]
    return _documents(names, list(texts), digests, sum(map(len, contents)))


def _documents(
    names: Sequence[str], texts: Sequence[str], digests: Sequence[str], size: int
) -> Documents:
    if not any(text.strip() for text in texts):
        where = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise DataError(f"there is no text in {where or 'an empty list'}: provide some text")
    return Documents(tuple(names), tuple(texts), size, digest_of(digests))


def digest_of(digests: Sequence[str]) -> str:
    """Combine the digests of several files or texts into one.

    Args:
        digests: the sha256 of each, in their order.
    """
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def cut(document: str, texts: str) -> list[str]:
    """Cut a document into texts.

    Args:
        document: the text of a file.
        texts: "file", which keeps it whole, "line" or "paragraph".

    Returns:
        The texts that hold more than white space.
    """
    return [part for part in parts_of(document, texts) if part.strip()]


def parts_of(document: str, texts: str) -> list[str]:
    """Cut a document into texts, and keep the blank ones.

    Args:
        document, texts: as in `cut`.

    Returns:
        All texts, including blank ones.
    """
    if texts == "line":
        # Not splitlines, because U+2028 and form feeds do not end a line of a file.
        return document.split("\n")
    if texts == "paragraph":
        return [part.strip("\n") for part in BLANK_LINES.split(document)]
    return [document]


def how_to_cut(documents: Sequence[str]) -> tuple[str, str]:
    """Choose whether a text is a whole document or a line.

    Paragraphs are never chosen: in prose, plays and code each paragraph continues the one before,
    and a file of independent paragraphs looks the same.

    Args:
        documents: at least one document.

    Returns:
        "file" or "line", and the reason.
    """
    if len(documents) >= MANY:
        return "file", f"there are {len(documents):,} texts, and each is kept whole"
    lines = [line for document in documents for line in document.strip("\n").split("\n")]
    if not all(line.strip() for line in lines):
        return "file", "continuous text with blank lines"
    median, long = np.percentile([len(line) for line in lines], (50, 95))
    if len(lines) < 5 * MANY or (long <= 1.3 * median and 30 <= median <= 160):
        return "file", "continuous text in lines of about the same width"
    return "line", f"{len(lines):,} lines of different lengths, without blank lines between them"


def split(texts: Sequence[str], *, whole: bool, valid: float, test: float) -> Splits:
    """Split texts into parts, either whole texts or the end of each text.

    Args:
        texts: at least one text.
        whole: if True, hold out whole texts by their hash, so that equal texts are in the same
            part; otherwise, hold out the end of each text.
        valid, test: shares of the characters.

    Raises:
        DataError: if the texts are too few or too short to fill every part.
    """
    parts = _split_whole(texts, valid, test) if whole else _split_each(texts, valid, test)
    empty = [name for name, group in parts.items() if not any(group)]
    if empty:
        count, unit = sum(map(len, texts)), "characters"
        if whole:
            count, unit = len(set(texts)), "different texts"
        names = " and ".join(empty)
        raise DataError(
            f"{count:,} {unit} are too few to set some aside for {names}: provide more text"
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
    return {name: tuple(group) for name, group in parts.items() if test or name != "test"}


def _split_whole(texts: Sequence[str], valid: float, test: float) -> dict[str, tuple[str, ...]]:
    sizes = {text: len(text) * copies for text, copies in Counter(texts).items()}
    distinct = sorted(sizes, key=lambda text: hashlib.sha256(_encoded(text)).digest())
    total, median = sum(sizes.values()), sorted(sizes.values())[len(sizes) // 2]
    sides: dict[str, str] = {}
    for name, share in (("test", test), ("valid", valid)):
        size, remaining = 0, max(1, int(max(share, 1 / 3) * len(distinct)))
        for text in distinct:
            if size >= share * total or remaining == 0 or len(sides) + 1 >= len(distinct):
                break
            # A text that is far longer than the others would exceed the share.
            if text not in sides and sizes[text] <= max(2 * share * total, median):
                sides[text] = name
                size += sizes[text]
                remaining -= 1
    names = ["train", "valid", "test"] if test else ["train", "valid"]
    return {name: tuple(t for t in texts if sides.get(t, "train") == name) for name in names}


def copies_of(texts: Iterable[str]) -> int:
    """Count the texts that repeat an earlier text.

    Args:
        texts: the texts of all splits.
    """
    return sum(count - 1 for count in Counter(texts).values())


def lines_shared(splits: Splits) -> tuple[int, int]:
    """Count the long lines of the held-out texts, and those that are also in training.

    Args:
        splits: the result of `split`.

    Returns:
        The number of lines that are also in training, and the number of lines.
    """
    held_out = [line for name in splits if name != "train" for line in _long_lines(splits[name])]
    trained = set(_long_lines(splits["train"]))
    return sum(line in trained for line in held_out), len(held_out)


def runs_on(texts: Sequence[str], rows: int) -> bool:
    """Return whether batches with whole texts as rows would be mostly padding.

    Args:
        texts: the training texts.
        rows: rows of a batch.
    """
    return rows * max(map(len, texts)) > 2 * sum(map(len, texts))


def _long_lines(texts: Iterable[str]) -> list[str]:
    lines = (line.strip() for text in texts for line in text.split("\n"))
    return [line for line in lines if len(line) >= LONG_LINE]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
