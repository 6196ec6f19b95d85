"""A user's labelled examples in three parts: to learn from, to validate on, to test on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples import classes as kinds
from lstm_jax.train.data.examples.labelled import Rows, without_singles

FEW = 2000


class Part(NamedTuple):
    """Some examples, and the index of the class of each, (N,)."""

    inputs: Sequence[Any]
    truth: np.ndarray


@dataclass(frozen=True)
class Labelled:
    """Examples of a user's in their parts.

    Attributes:
        name: of the file, or "the frame".
        classes: names, in order.
        parts: "train", "valid" and "test".
        sha256: of the files.
        saw: what is in the data, a line each.
        columns: names of the D columns of sequences (T, D).
    """

    name: str
    classes: tuple[str, ...]
    parts: Mapping[str, Part]
    sha256: str
    saw: tuple[str, ...]
    columns: tuple[str, ...] = ()


def share_of(rows: int) -> float:
    """Give the share of the examples to validate, or to test, on: more where there are few."""
    return 0.1 if rows >= FEW else 0.15


def arrange(
    rows: Rows,
    held: Mapping[str, Rows],
    *,
    valid: float,
    test: float,
    seed: int,
    unit: str,
    label: str = "the class",
) -> Labelled:
    """Split examples, or take the parts that were given, and say what is the same in several.

    Args:
        rows: all examples, or those to learn from.
        held: those given to validate or to test on, by "valid" and "test".
        valid, test: the shares to take from `rows` where nothing was given.
        seed: of the split.
        unit: what an example is, in the plural.
        label: what to call the column of the classes.

    Raises:
        DataError: fewer than two classes, too few examples, or a given part with other classes.
    """
    rows = without_singles(rows, label)
    rows, crossing = _without_held(rows, held, unit)
    names = kinds.in_order(rows.labels)
    kinds.check_classes(rows.name, names)
    ids = {name: index for index, name in enumerate(names)}
    shares = {"valid": valid, "test": test}
    shares |= dict.fromkeys(held, 0.0)
    units = kinds.together(rows.keys, rows.groups)
    found = kinds.split(rows.labels, units, **shares, seed=seed)
    parts = {name: _part(rows.take(found[name].tolist()), ids) for name in found}
    parts |= {name: _part(given, ids) for name, given in held.items()}
    for name in ("train", "valid"):
        if not len(parts[name].inputs):
            raise DataError(
                f"{rows.name} has only {len(rows):,} {unit}{_tied(units)}, too few to keep some "
                "for validation: give more"
            )
    lines = [
        f"{rows.name}: {len(rows):,} {unit}",
        *rows.notes,
        *(f"{given.name}: {len(given):,} {unit}" for given in held.values()),
        *(note for given in held.values() for note in given.notes),
        kinds.counted(rows.labels, names),
        *_same(rows, unit),
        *crossing,
        *_groups(rows, held),
        "parts: " + ", ".join(f"{name} {len(part.inputs):,}" for name, part in parts.items()),
    ]
    digests = " ".join([rows.sha256, *(given.sha256 for given in held.values())])
    sha256 = hashlib.sha256(digests.encode()).hexdigest() if held else rows.sha256
    return Labelled(rows.name, names, parts, sha256, tuple(lines), rows.columns)


def part_of(rows: Rows, names: Sequence[str]) -> Part:
    """Take other examples as a part.

    Args:
        rows: the examples.
        names: of the classes that a model knows.

    Raises:
        DataError: a class that is none of them, with its place.
    """
    return _part(rows, {name: index for index, name in enumerate(names)})


def _tied(units: Sequence[int]) -> str:
    """Say how many units there are, where some examples belong together."""
    count = len(set(units))
    return f" in {count:,} groups that stay whole" if count < len(units) else ""


def _part(rows: Rows, ids: Mapping[str, int]) -> Part:
    for label, place in zip(rows.labels, rows.places, strict=True):
        if label not in ids:
            known = ", ".join(list(ids)[: kinds.SHOWN])
            more = ", ..." if len(ids) > kinds.SHOWN else ""
            raise DataError(
                f"{place}: the class {label!r} is none of those to learn from ({known}{more})"
            )
    return Part(rows.inputs, np.array([ids[label] for label in rows.labels], int))


def _without_held(rows: Rows, held: Mapping[str, Rows], unit: str) -> tuple[Rows, list[str]]:
    """Leave out of training what is in a given part, and say so; also of one part in the other."""
    keys = {name: set(given.keys) for name, given in held.items()}
    seen = set().union(*keys.values())
    kept = [row for row, key in enumerate(rows.keys) if key not in seen]
    said = []
    if len(kept) < len(rows):
        said.append(
            f"left out: {len(rows) - len(kept):,} {unit} of {rows.name} that are also to be "
            "validated or tested on"
        )
    both = keys.get("valid", set()) & keys.get("test", set())
    if both:
        said.append(f"{len(both):,} {unit} to validate on are also to be tested on")
    return (rows.take(kept) if said else rows), said


def _same(rows: Rows, unit: str) -> list[str]:
    labels: dict[Hashable, set[str]] = defaultdict(set)
    for key, label in zip(rows.keys, rows.labels, strict=True):
        labels[key].add(label)
    repeated = len(rows) - len(labels)
    if not repeated:
        return []
    against = sum(len(found) > 1 for found in labels.values())
    more = f"; {against:,} of them have more than one class" if against else ""
    return [f"{repeated:,} {unit} are repeated, and equal ones are kept in one part{more}"]


def _groups(rows: Rows, held: Mapping[str, Rows]) -> list[str]:
    groups = {group for group in rows.groups if group is not None}
    if not groups:
        return []
    said = [f"{len(groups):,} groups, each kept in one part"]
    for name, given in held.items():
        shared = len(groups & set(given.groups))
        if shared:
            said.append(f"{shared:,} groups to learn from are also in the part {name}")
    return said
