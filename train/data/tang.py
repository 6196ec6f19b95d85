"""Tang poems: 50 pinned files, cleaned, deduplicated, and split by clusters of shared lines.

The poems come from github.com/chinese-poetry/chinese-poetry (MIT license), in traditional script.
Many of them are in the collection twice, whole or in part and with variant characters. The split
therefore keeps clusters of poems that share lines together.
"""

import hashlib
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import combinations

from opencc import OpenCC

from lstm_jax.text.verse import MARKS, lines
from lstm_jax.train.data.download import Source, fetch

COMMIT = "99ebbef7e1345c0985c44b9fd96a3f9e776f117b"
BASE_URL = (
    f"https://raw.githubusercontent.com/chinese-poetry/chinese-poetry/{COMMIT}/"
    "%E5%85%A8%E5%94%90%E8%AF%97"  # 全唐诗
)

HAN = "\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0003134f\uf900-\ufaff\U0002f800-\U0002fa1f"

MIN_LINES = 2
MIN_HAN = 10
MAX_LINE = 15
LINK_LINE = 5  # shorter lines are set phrases, shared by chance
LINK_POEMS = 30  # lines in more poems than this are set phrases too
LINK_SHARED = 2
LINK_SHARE = 0.5

_INNER_NOTE = re.compile(r"（[^（）]*）")
_LACUNA = re.compile(r"〖[^〖〗]*〗")
_WRAPPERS = re.compile(r"[「」『』《》〈〉\[\]［］·\s]")
_POEM = re.compile(f"[{HAN}{MARKS}]+")


@dataclass(frozen=True)
class Corpus:
    """Store a split corpus: one string per poem, with punctuation, each split in file order.

    `clusters` counts the clusters, `raw` the poems before cleaning, and `sha256` is a digest of
    the hashes of the source files.
    """

    name: str
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]
    clusters: int
    raw: int
    sha256: str

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Return the poems of each split."""
        return {"train": self.train, "valid": self.valid, "test": self.test}


@cache
def tang_source() -> Source:
    """Return the pinned source: 50 files in numeric order, with their hashes."""
    table = resources.files("lstm_jax.train.data").joinpath("tang_sha256.txt").read_text("utf-8")
    return Source(
        name="tang",
        base_url=BASE_URL,
        files=dict(line.split() for line in table.splitlines()),
        npm_package="chinese-poetry@2.0.1",
        npm_folder="dist/quantangshi",
    )


def load() -> Corpus:
    """Load the Tang corpus, which is downloaded on first use.

    Raises:
        DataError: if a file is missing, altered or out of reach; see `download.fetch`.
    """
    source = tang_source()
    paths = fetch(source)
    raw = [poem for path in paths.values() for poem in json.loads(path.read_bytes())]
    cleaned = [clean(poem["paragraphs"]) for poem in raw]
    poems = deduplicate(poem for poem in cleaned if poem is not None)
    clusters = cluster(poems)
    train, valid, test = split(poems, clusters)
    return Corpus(
        name=source.name,
        train=train,
        valid=valid,
        test=test,
        clusters=len(set(clusters.values())),
        raw=len(raw),
        sha256=source.sha256,
    )


def describe() -> tuple[dict[str, object], str]:
    """Describe the set for `lstm-jax data`: the poems and characters of each split.

    Returns:
        Figures for JSON, and lines of text for a person.

    Raises:
        DataError: if a file is missing, altered or out of reach.
    """
    corpus = load()
    splits = {
        name: {"texts": len(texts), "characters": sum(map(len, texts))}
        for name, texts in corpus.splits.items()
    }
    for counts in splits.values():
        counts["symbols"] = counts["texts"] + counts["characters"]
    facts = {"name": corpus.name, "raw": corpus.raw, "clusters": corpus.clusters}
    poems = sum(counts["texts"] for counts in splits.values())
    report = [
        f"{corpus.raw:,} poems in the files, {poems:,} after cleaning, in {corpus.clusters:,} "
        "clusters"
    ]
    report += [
        f"{name:6} {counts['texts']:7,} poems {counts['characters']:10,} characters "
        f"{counts['symbols']:10,} symbols including ends"
        for name, counts in splits.items()
    ]
    return {**facts, "sha256": corpus.sha256, "splits": splits}, "\n".join(report)


def clean(paragraphs: Iterable[str]) -> str | None:
    """Return the poem as one string of Han and punctuation, or None if it must be dropped.

    Notes in （） and lacunae in 〖〗 are removed; quotation marks and the like are removed too, but
    not the text inside them. A poem is dropped if it has any other symbol (□, an unbalanced
    bracket, a composed glyph), fewer than 2 lines or 10 Han, or a line of more than 15.

    Args:
        paragraphs: the paragraphs of a poem, as in the files.
    """
    text = unicodedata.normalize("NFC", "".join(paragraphs))
    while "（" in text:
        text, count = _INNER_NOTE.subn("", text)
        if not count:
            return None
    text = _WRAPPERS.sub("", _LACUNA.sub("", text))
    if not _POEM.fullmatch(text):
        return None
    lengths = [len(line) for line in lines(text)]
    if len(lengths) < MIN_LINES or sum(lengths) < MIN_HAN or max(lengths) > MAX_LINE:
        return None
    return text


def fold(texts: Sequence[str]) -> list[str]:
    """Convert texts to simplified script; none of them may hold a newline.

    Args:
        texts: texts in traditional or simplified script.
    """
    if not texts:
        return []
    # One call for all poems, because one call per poem takes several times as long.
    return OpenCC("t2s").convert("\n".join(texts)).split("\n")


def deduplicate(poems: Iterable[str]) -> dict[str, str]:
    """Return the distinct poems in order, by key: their Han in simplified script.

    Of several poems with the same key, the first is kept.

    Args:
        poems: poems as returned by `clean`.
    """
    poems = list(poems)
    keys = fold(["".join(lines(poem)) for poem in poems])
    kept: dict[str, str] = {}
    for key, poem in zip(keys, poems, strict=True):
        kept.setdefault(key, poem)
    return kept


def cluster(poems: Mapping[str, str]) -> dict[str, str]:
    """Return the smallest key in the cluster of each poem.

    Two poems are linked if they share at least 2 lines in simplified script, and these are at
    least half of the distinct lines of the poem that has fewer. Only lines of 5 or more characters
    count, and lines that appear in more than 30 poems do not link. Links connect a cluster.

    Args:
        poems: poems by key, as returned by `deduplicate`.
    """
    # Lines are converted again, one by one: OpenCC converts by phrase, and in a key a phrase may
    # run from one line into the next, so that the same line could be converted in two ways.
    folded = [lines(poem) for poem in fold(list(poems.values()))]
    long_lines = [{line for line in poem if len(line) >= LINK_LINE} for poem in folded]
    keys = list(poems)
    parent = list(range(len(keys)))
    for (first, second), shared in _shared_lines(long_lines).items():
        fewer = min(len(long_lines[first]), len(long_lines[second]))
        if shared >= LINK_SHARED and shared >= LINK_SHARE * fewer:
            parent[_root(parent, first)] = _root(parent, second)
    smallest: dict[int, str] = {}
    for index, key in enumerate(keys):
        root = _root(parent, index)
        smallest[root] = min(smallest.get(root, key), key)
    return {key: smallest[_root(parent, index)] for index, key in enumerate(keys)}


def _shared_lines(poems: Sequence[set[str]]) -> Counter[tuple[int, int]]:
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for index, poem in enumerate(poems):
        for line in poem:
            holders[line].append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for holding in holders.values():
        if 2 <= len(holding) <= LINK_POEMS:
            shared.update(combinations(holding, 2))
    return shared


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def split(
    poems: Mapping[str, str], clusters: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Split the poems into training, validation and test, about 90:5:5, in their order.

    The split depends only on the hash of the name of a poem's cluster, so that a cluster stays
    together.

    Args:
        poems: poems by key.
        clusters: the cluster of each key, as returned by `cluster`.
    """
    train, valid, test = [], [], []
    for key, poem in poems.items():
        percent = int(hashlib.sha256(clusters[key].encode()).hexdigest()[:8], 16) % 100
        side = train if percent < 90 else valid if percent < 95 else test
        side.append(poem)
    return tuple(train), tuple(valid), tuple(test)
