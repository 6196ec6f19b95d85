"""`lstm-jax data`: every data set by its name, loaded and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import tyro

from lstm_jax.train.data import audio, sentiment, series, shakespeare, speech, tang
from lstm_jax.train.data.download import DataError

Description = tuple[dict[str, Any], str]
"""Figures, and what to say of them: some lines."""


def describe(name: str) -> Description:
    """Load a data set, fetching what is missing, and say what it holds.

    Raises:
        DataError: there is no such set, or it is missing, altered or out of reach.
    """
    if name not in SETS:
        raise DataError(f"there is no data set {name!r}; the data sets are {', '.join(SETS)}")
    return SETS[name]()


def describe_tang() -> Description:
    """Poems and characters of each split."""
    corpus = tang.load()
    splits = {
        name: {"texts": len(texts), "characters": sum(map(len, texts))}
        for name, texts in corpus.splits.items()
    }
    for counts in splits.values():
        counts["symbols"] = counts["texts"] + counts["characters"]
    facts = {"name": corpus.name, "raw": corpus.raw, "clusters": corpus.clusters}
    poems = sum(counts["texts"] for counts in splits.values())
    said = [
        f"{corpus.raw:,} poems in the files, {poems:,} after cleaning, in {corpus.clusters:,} "
        "clusters"
    ]
    said += [
        f"{name:6} {counts['texts']:7,} poems {counts['characters']:10,} characters "
        f"{counts['symbols']:10,} symbols with the ends"
        for name, counts in splits.items()
    ]
    return {**facts, "sha256": corpus.sha256, "splits": splits}, "\n".join(said)


def describe_shakespeare() -> Description:
    """Characters of each split."""
    splits = {name: sum(map(len, texts)) for name, texts in shakespeare.load().items()}
    said = [f"{name:6} {count:10,} characters" for name, count in splits.items()]
    return {"sha256": shakespeare.SOURCE.sha256, "characters": splits}, "\n".join(said)


def describe_sentiment() -> Description:
    """Sentences of each split, and the phrases of the training trees."""
    found = sentiment.load()
    splits = {
        name: {
            "sentences": len(texts),
            "positive": sum(text.label == 1 for text in texts),
            "words": sum(len(text.words) for text in texts),
        }
        for name, texts in found.splits.items()
    }
    neutral = sum(text.label is None for text in found.phrases)
    facts = {"phrases": len(found.phrases), "neutral": neutral, "dropped": found.dropped}
    said = [
        f"{name:6} {counts['sentences']:6,} sentences, {counts['positive']:,} of them positive, "
        f"{counts['words']:,} words"
        for name, counts in splits.items()
    ]
    said.append(
        f"{len(found.phrases):,} different phrases in the training trees, {neutral:,} of them "
        f"neutral; dropped are {found.dropped} texts that valid or test has as a sentence"
    )
    return {**facts, "sha256": found.sha256, "splits": splits}, "\n".join(said)


def describe_speech() -> Description:
    """Recordings and seconds of each split, and who speaks."""
    found = speech.load()
    splits = {
        name: {
            "recordings": len(recordings),
            "seconds": round(sum(len(one.samples) for one in recordings) / audio.RATE, 1),
        }
        for name, recordings in found.splits().items()
    }
    said = [
        f"{name:6} {counts['recordings']:6,} recordings, {counts['seconds']:7,.1f} seconds"
        for name, counts in splits.items()
    ]
    said.append(f"speakers: {', '.join(found.speakers)}")
    facts = {"speakers": list(found.speakers), "sha256": found.sha256}
    return {**facts, "splits": splits}, "\n".join(said)


SETS: dict[str, Callable[[], Description]] = {
    "tang": describe_tang,
    "shakespeare": describe_shakespeare,
    "sentiment": describe_sentiment,
    "speech": describe_speech,
    **{name: partial(series.describe, name) for name in ("sine", *series.LOADERS)},
}
"""A data set's name -> what loads and describes it."""


@dataclass(frozen=True)
class DataOptions:
    """Which data set."""

    name: tyro.conf.Positional[
        Annotated[str, tyro.conf.arg(metavar="NAME", help=f"One of {', '.join(SETS)}.")]
    ]
    json: bool = False
    """Print JSON."""
