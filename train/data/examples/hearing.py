"""Reading of listed recordings: the headers of their files, and their features."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track

from lstm_jax.train.data import audio
from lstm_jax.train.data.audio import AudioError, Header, Mel
from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples.labeled import Rows
from lstm_jax.train.data.examples.recordings import SHOWN, Left, Listing, Sound
from lstm_jax.train.data.tables import count

MOST_LEFT = 0.1  # share of the recordings that may be left out
T = TypeVar("T")


def headers(listing: Listing) -> tuple[Listing, list[Header]]:
    """Read the headers of the files.

    Args:
        listing: the recordings.

    Returns:
        The listing without the files that cannot be opened, and the header of each other file.

    Raises:
        DataError: if more than a tenth of the recordings would be left out.
        AudioError: if librosa is not installed.
    """
    audio.check(Mel())
    sounds, results, left = [], [], list(listing.left)
    for sound in listing.sounds:
        try:
            # Opening a pipe would wait forever. `Path.is_file` raises for some names.
            if not os.path.isfile(sound.path):
                raise AudioError(f"{sound.path} is not a file")
            results.append(audio.header(sound.path))
            sounds.append(sound)
        except AudioError as error:
            left.append(Left(sound.name, _reason(error, sound)))
    _check_left(listing.name, len(sounds), left)
    return Listing(listing.name, tuple(sounds), tuple(left), listing.notes), results


def hear(listing: Listing, headers: Sequence[Header], mel: Mel, longest: float) -> Rows:
    """Read recordings and compute their features, with a progress bar on a terminal.

    Args:
        listing: recordings that can be opened.
        headers: their headers.
        mel: configuration of the features.
        longest: length in seconds after which recordings are cut.

    Returns:
        Unscaled features (T, bands) of every usable recording. Recordings with equal samples have
        equal keys.

    Raises:
        DataError: if more than a tenth of the recordings would be left out.
        AudioError: if the features cannot be computed for any recording.
    """
    audio.check(mel)
    sounds, features, keys, left = [], [], [], list(listing.left)
    whole = hashlib.sha256()
    for sound in progress(listing.sounds, "Features"):
        try:
            samples, _ = audio.read(sound.path, mel.rate, longest)
            with sound.path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except (AudioError, OSError) as error:
            left.append(Left(sound.name, _reason(error, sound)))
            continue
        sounds.append(sound)
        features.append(audio.log_mel(samples, mel))
        keys.append(hashlib.sha256(samples.tobytes()).hexdigest())
        whole.update(repr((sound.name, sound.label, sound.group, content)).encode())
    _check_left(listing.name, len(sounds), left)
    notes = [_lengths(headers), *_cut(headers, longest), *listing.notes]
    return Rows(
        name=listing.name,
        inputs=features,
        labels=[sound.label for sound in sounds],
        keys=keys,
        groups=[sound.group for sound in sounds],
        places=[sound.name for sound in sounds],
        sha256=whole.hexdigest(),
        notes=(*notes, *_left(left, len(sounds)), *_groups(sounds)),
    )


def progress(items: Sequence[T], title: str) -> Iterable[T]:
    """Iterate over items, with a progress bar on a terminal.

    Args:
        items: the items.
        title: text beside the bar.
    """
    errors = Console(stderr=True)
    hidden = not errors.is_terminal
    return track(items, title, console=errors, transient=True, disable=hidden)


def _reason(error: Exception, sound: Sound) -> str:
    """Return an error without the path, which precedes it in the report."""
    return str(error).removeprefix(str(sound.path)).strip()


def _check_left(name: str, kept: int, left: Sequence[Left]) -> None:
    if len(left) > MOST_LEFT * (kept + len(left)):
        raise DataError(
            f"{name}: {len(left):,} of {kept + len(left):,} recordings cannot be used, but at most "
            f"a tenth may be left out; the first is {left[0].name}: {left[0].why}"
        )


def _lengths(headers: Sequence[Header]) -> str:
    seconds = np.array([header.seconds for header in headers])
    rates = Counter(f"{header.rate:,} Hz" for header in headers)
    channels = Counter(f"{h.channels} channel{'s'[: h.channels > 1]}" for h in headers)
    return (
        f"{seconds.min():.2f} to {seconds.max():.2f} seconds each, median "
        f"{np.median(seconds):.2f}; {seconds.sum() / 60:,.1f} minutes in total; {_shares(rates)}; "
        f"{_shares(channels)}"
    )


def _shares(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{name} ({count:,})" for name, count in counts.most_common(SHOWN)]
    return ", ".join(shown) + (" and others" if len(counts) > SHOWN else "")


def _cut(headers: Sequence[Header], longest: float) -> list[str]:
    longer = sum(header.seconds > longest for header in headers)
    return [f"cut {count(longer, 'recording')} after {longest:g} seconds"] if longer else []


def _left(left: Sequence[Left], kept: int) -> list[str]:
    if not left:
        return []
    first = [f"  {entry.name}: {entry.why}" for entry in left[:SHOWN]]
    more = [f"  and {len(left) - SHOWN:,} more"] if len(left) > SHOWN else []
    return [f"left out {len(left):,} of {kept + len(left):,} recordings:", *first, *more]


def _groups(sounds: Sequence[Sound]) -> list[str]:
    classes: dict[str, set[str]] = {}
    for sound in sounds:
        if sound.group is not None:
            classes.setdefault(sound.group, set()).add(sound.label)
    if not classes or any(len(labels) > 1 for labels in classes.values()):
        return []
    return [f"warning: each group, such as {min(classes)!r}, has recordings of only one class"]
