"""Listed recordings, read: what their files say of themselves, and their features."""

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
from lstm_jax.train.data.examples.labelled import Rows
from lstm_jax.train.data.examples.recordings import SHOWN, Left, Listing, Sound

MOST_LEFT = 0.1  # of the recordings
T = TypeVar("T")


def headers(listing: Listing) -> tuple[Listing, list[Header]]:
    """Read what the files say of themselves.

    Args:
        listing: of the recordings.

    Returns:
        The listing, with those that cannot be opened left out, and a header for each of the rest.

    Raises:
        DataError: more than a tenth of the recordings would be left out.
        AudioError: librosa is not installed.
    """
    audio.check(Mel())
    sounds, found, left = [], [], list(listing.left)
    for sound in listing.sounds:
        try:
            # A pipe would be waited for without end. `Path.is_file` raises for some names.
            if not os.path.isfile(sound.path):
                raise AudioError(f"{sound.path} is no file")
            found.append(audio.header(sound.path))
            sounds.append(sound)
        except AudioError as error:
            left.append(Left(sound.name, _reason(error, sound)))
    _check_left(listing.name, len(sounds), left)
    return Listing(listing.name, tuple(sounds), tuple(left), listing.notes), found


def hear(listing: Listing, found: Sequence[Header], mel: Mel, longest: float) -> Rows:
    """Read recordings and compute their features, with a progress bar where there is a terminal.

    Args:
        listing: of recordings that can be opened.
        found: their headers.
        mel: how features are computed.
        longest: seconds; longer recordings are cut there.

    Returns:
        Features, (T, bands) and not scaled, of every recording that can be used. Those of equal
        samples have equal keys.

    Raises:
        DataError: more than a tenth of the recordings are left out.
        AudioError: features that cannot be computed of any.
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
    notes = [_lengths(found), *_cut(found, longest), *listing.notes]
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


def progress(items: Sequence[T], what: str) -> Iterable[T]:
    """Go through items, with a progress bar where there is a terminal.

    Args:
        items: any.
        what: to write beside the bar.
    """
    errors = Console(stderr=True)
    hidden = not errors.is_terminal
    return track(items, what, console=errors, transient=True, disable=hidden)


def _reason(error: Exception, sound: Sound) -> str:
    """Give an error without the path, which the name before it says already."""
    return str(error).removeprefix(str(sound.path)).strip()


def _check_left(name: str, kept: int, left: Sequence[Left]) -> None:
    if len(left) > MOST_LEFT * (kept + len(left)):
        raise DataError(
            f"{name}: {len(left):,} of {kept + len(left):,} recordings cannot be used, and a tenth "
            f"at most may be left out; the first is {left[0].name}: {left[0].why}"
        )


def _lengths(found: Sequence[Header]) -> str:
    seconds = np.array([one.seconds for one in found])
    rates = Counter(f"{one.rate:,} Hz" for one in found)
    channels = Counter(f"{one.channels} channel{'s'[: one.channels > 1]}" for one in found)
    return (
        f"{seconds.min():.2f} to {seconds.max():.2f} seconds each, the median "
        f"{np.median(seconds):.2f}; {seconds.sum() / 60:,.1f} minutes in all; {_shares(rates)}; "
        f"{_shares(channels)}"
    )


def _shares(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{name} ({count:,})" for name, count in counts.most_common(SHOWN)]
    return ", ".join(shown) + (" and others" if len(counts) > SHOWN else "")


def _cut(found: Sequence[Header], longest: float) -> list[str]:
    longer = sum(one.seconds > longest for one in found)
    return [f"{longer:,} are cut after {longest:g} seconds"] if longer else []


def _left(left: Sequence[Left], kept: int) -> list[str]:
    if not left:
        return []
    first = [f"  {one.name}: {one.why}" for one in left[:SHOWN]]
    more = [f"  and {len(left) - SHOWN:,} more"] if len(left) > SHOWN else []
    return [f"left out: {len(left):,} of {kept + len(left):,}", *first, *more]


def _groups(sounds: Sequence[Sound]) -> list[str]:
    of: dict[str, set[str]] = {}
    for sound in sounds:
        if sound.group is not None:
            of.setdefault(sound.group, set()).add(sound.label)
    if not of or any(len(labels) > 1 for labels in of.values()):
        return []
    return [f"warning: each group, such as {min(of)!r}, has recordings of one class only"]
