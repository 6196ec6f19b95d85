"""Splits of a user's labeled examples into parts for training, validation and testing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.examples import classes as kinds
from lstm_jax.train.data.examples.labeled import Rows, without_singles

FEW = 2000


class Part(NamedTuple):
    """Store some examples, and the index of the class of each, (N,)."""

    inputs: Sequence[Any]
    truth: np.ndarray


@dataclass(frozen=True)
class Labeled:
    """Store the labeled examples of a user, split into parts.

    Attributes:
        name: name of the file, or "the frame".
        classes: names of the classes, in order.
        parts: "train", "valid" and "test".
        sha256: digest of the files.
        saw: lines that describe the data.
        columns: names of the D columns of sequences (T, D).
    """

    name: str
    classes: tuple[str, ...]
    parts: Mapping[str, Part]
    sha256: str
    saw: tuple[str, ...]
    columns: tuple[str, ...] = ()


def share_of(rows: int) -> float:
    """Return the share of examples for validation or testing, which is larger for few examples."""
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
) -> Labeled:
    """Split examples into parts, or use given parts, and report examples that several parts share.

    Args:
        rows: all examples, or the training examples.
        held: given parts, by "valid" and "test".
        valid, test: shares of `rows` for parts that are not given.
        seed: seed of the split.
        unit: name of an example, in the plural.
        label: name of the column of the classes, for errors.

    Raises:
        DataError: if there are fewer than two classes or too few examples, or a given part has
            other classes.
    """
    rows = without_singles(rows, label)
    rows, crossing = _without_held(rows, held, unit)
    names = kinds.in_order(rows.labels)
    kinds.check_classes(rows.name, names)
    ids = {name: index for index, name in enumerate(names)}
    shares = {"valid": valid, "test": test}
    shares |= dict.fromkeys(held, 0.0)
    units = kinds.together(rows.keys, rows.groups)
    indices = kinds.split(rows.labels, units, **shares, seed=seed)
    parts = {name: _part(rows.take(indices[name].tolist()), ids) for name in indices}
    parts |= {name: _part(part_rows, ids) for name, part_rows in held.items()}
    for name in ("train", "valid"):
        if not len(parts[name].inputs):
            raise DataError(
                f"{rows.name} has only {len(rows):,} {unit}{_tied(units)}, too few to set some "
                "aside for validation: provide more"
            )
    lines = [
        f"{rows.name}: {len(rows):,} {unit}",
        *rows.notes,
        *(f"{part_rows.name}: {len(part_rows):,} {unit}" for part_rows in held.values()),
        *(note for part_rows in held.values() for note in part_rows.notes),
        kinds.counted(rows.labels, names),
        *_same(rows, unit),
        *crossing,
        *_groups(rows, held),
        "parts: " + ", ".join(f"{name} {len(part.inputs):,}" for name, part in parts.items()),
    ]
    digests = " ".join([rows.sha256, *(part_rows.sha256 for part_rows in held.values())])
    sha256 = hashlib.sha256(digests.encode()).hexdigest() if held else rows.sha256
    return Labeled(rows.name, names, parts, sha256, tuple(lines), rows.columns)


def part_of(rows: Rows, names: Sequence[str]) -> Part:
    """Convert examples to a part, for the classes of a trained model.

    Args:
        rows: the examples.
        names: names of the classes that the model knows.

    Raises:
        DataError: if an example has another class; the message names its place.
    """
    return _part(rows, {name: index for index, name in enumerate(names)})


def _tied(units: Sequence[int]) -> str:
    """Describe the number of groups, if some examples belong together."""
    count = len(set(units))
    return f" in {count:,} groups that stay whole" if count < len(units) else ""


def _part(rows: Rows, ids: Mapping[str, int]) -> Part:
    for label, place in zip(rows.labels, rows.places, strict=True):
        if label not in ids:
            known = ", ".join(list(ids)[: kinds.SHOWN])
            more = ", ..." if len(ids) > kinds.SHOWN else ""
            raise DataError(
                f"{place}: the class {label!r} is not one of the training classes ({known}{more})"
            )
    return Part(rows.inputs, np.array([ids[label] for label in rows.labels], int))


def _without_held(rows: Rows, held: Mapping[str, Rows], unit: str) -> tuple[Rows, list[str]]:
    """Remove the examples of given parts from training; report them and those in both parts."""
    keys = {name: set(part_rows.keys) for name, part_rows in held.items()}
    held_keys = set().union(*keys.values())
    kept = [row for row, key in enumerate(rows.keys) if key not in held_keys]
    lines = []
    if len(kept) < len(rows):
        lines.append(
            f"left out {len(rows) - len(kept):,} of the {unit} of {rows.name}, which are also used "
            "for validation or testing"
        )
    both = keys.get("valid", set()) & keys.get("test", set())
    if both:
        lines.append(f"{len(both):,} of the {unit} are used for both validation and testing")
    return (rows.take(kept) if lines else rows), lines


def _same(rows: Rows, unit: str) -> list[str]:
    labels: dict[Hashable, set[str]] = defaultdict(set)
    for key, label in zip(rows.keys, rows.labels, strict=True):
        labels[key].add(label)
    repeated = len(rows) - len(labels)
    if not repeated:
        return []
    ambiguous = sum(len(names) > 1 for names in labels.values())
    more = f"; {ambiguous:,} different {unit} have more than one class" if ambiguous else ""
    return [f"{repeated:,} of the {unit} repeat others; equal ones are kept in the same part{more}"]


def _groups(rows: Rows, held: Mapping[str, Rows]) -> list[str]:
    groups = {group for group in rows.groups if group is not None}
    if not groups:
        return []
    lines = [f"{len(groups):,} groups, each kept in one part"]
    for name, part_rows in held.items():
        shared = len(groups & set(part_rows.groups))
        if shared:
            lines.append(f"{shared:,} groups are in both the training part and the part {name}")
    return lines
