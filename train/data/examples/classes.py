"""Classes of a user's examples: their names in order, and parts of the data with some of each."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from lstm_jax.train.data.download import DataError

SHOWN = 8  # classes, in a line


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Give every label once, in numeric order where all are numbers, else as text."""
    names = set(labels)
    numbers = {name: _number(name) for name in names}
    if any(number is None for number in numbers.values()):
        return tuple(sorted(names))
    return tuple(sorted(names, key=lambda name: (numbers[name], name)))


def counted(labels: Sequence[str], classes: Sequence[str]) -> str:
    """Say how many there are of each class: "3 classes: a 10, b 7, c 5"."""
    counts = Counter(labels)
    shown = ", ".join(f"{name} {counts[name]:,}" for name in classes[:SHOWN])
    more = f" and {len(classes) - SHOWN:,} more" if len(classes) > SHOWN else ""
    return f"{len(classes):,} classes: {shown}{more}"


def check_classes(name: str, classes: Sequence[str]) -> None:
    """Refuse data in which there is nothing to tell apart.

    Args:
        name: of the data.
        classes: what `in_order` gives.

    Raises:
        DataError: fewer than two classes.
    """
    if len(classes) < 2:
        only = f"one class, {classes[0]!r}" if classes else "no class"
        raise DataError(f"{name} has {only}: at least two are needed to tell them apart")


def together(*columns: Sequence[Hashable]) -> list[int]:
    """Join rows that have an equal value in any of some columns.

    Args:
        *columns: N values each; None is equal to nothing.

    Returns:
        A number for each row, equal for rows that are joined, directly or by others between them.
    """
    parent = list(range(len(columns[0])))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for column in columns:
        first: dict[Hashable, int] = {}
        for row, value in enumerate(column):
            if value is not None:
                parent[root(row)] = root(first.setdefault(value, row))
    return [root(row) for row in range(len(parent))]


def split(
    labels: Sequence[str], units: Sequence[int], *, valid: float, test: float, seed: int
) -> dict[str, np.ndarray]:
    """Deal rows out to three parts, with nearly the same share of each class in every one.

    Args:
        labels: of the rows, N.
        units: rows with equal numbers are kept in one part.
        valid, test: the shares of these parts; the rest is to learn from.
        seed: decides which rows go where.

    Returns:
        The rows of "train", "valid" and "test", each in rising order. A class of three units or
        more has some in every part whose share is above 0, and each class has some to learn from.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for row, unit in enumerate(units):
        members[unit].append(row)
    # Groups of several classes, such as speakers, are dealt out together.
    alike: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    for rows in members.values():
        own = {labels[row] for row in rows}
        alike[tuple(own) if len(own) == 1 else ()].append(rows)
    rng = np.random.default_rng(seed)
    parts: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    kept = Counter(labels)
    for kind in sorted(alike):
        own = [alike[kind][i] for i in rng.permutation(len(alike[kind]))]
        total, several = sum(map(len, own)), len(own) >= 3
        for part, share, to_come in (("test", test, valid > 0), ("valid", valid, False)):
            wanted, taken = math.floor(share * total + 0.5), 0
            # The last of them are for training, and as many for the parts still to come.
            least = 1 + (several and to_come)
            while share > 0 and len(own) > least and (taken < wanted or (several and not taken)):
                unit = _spare(own, labels, kept)
                if unit is None:
                    break
                own.remove(unit)
                kept.subtract(labels[row] for row in unit)
                taken += len(unit)
                parts[part] += unit
        parts["train"] += [row for rows in own for row in rows]
    return {name: np.array(sorted(rows), int) for name, rows in parts.items()}


def _spare(
    own: Sequence[list[int]], labels: Sequence[str], kept: Mapping[str, int]
) -> list[int] | None:
    """Find the last unit, of at most half the rows, without which no class is left with none."""
    total = sum(map(len, own))
    for rows in reversed(own):
        if 2 * len(rows) <= total and all(
            kept[name] > count for name, count in Counter(labels[row] for row in rows).items()
        ):
            return rows
    return None


def balanced(truth: np.ndarray, classes: int) -> np.ndarray:
    """Give each example the weight by which every class counts the same; their mean is 1.

    Args:
        truth: classes of the examples, (N,).
        classes: C.
    """
    counts = np.bincount(truth, minlength=classes)
    return (len(truth) / ((counts > 0).sum() * counts[truth])).astype(np.float32)


def _number(name: str) -> float | None:
    try:
        number = float(name)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
