"""Classes of a user's examples: their order, and splits that keep the share of each class."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from lstm_jax.train.data.download import DataError

SHOWN = 8  # classes that a message lists


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct labels, in numeric order if all are numbers, otherwise sorted as text."""
    names = set(labels)
    numbers = {name: _number(name) for name in names}
    if any(number is None for number in numbers.values()):
        return tuple(sorted(names))
    return tuple(sorted(names, key=lambda name: (numbers[name], name)))


def counted(labels: Sequence[str], classes: Sequence[str]) -> str:
    """Report the number of examples of each class, for example "3 classes: a 10, b 7, c 5"."""
    counts = Counter(labels)
    shown = ", ".join(f"{name} {counts[name]:,}" for name in classes[:SHOWN])
    more = f" and {len(classes) - SHOWN:,} more" if len(classes) > SHOWN else ""
    return f"{len(classes):,} classes: {shown}{more}"


def check_classes(name: str, classes: Sequence[str]) -> None:
    """Raise an error if the data have fewer than two classes.

    Args:
        name: name of the data.
        classes: the classes.

    Raises:
        DataError: if there are fewer than two classes.
    """
    if len(classes) < 2:
        only = f"only one class, {classes[0]!r}" if classes else "no class"
        raise DataError(f"{name} has {only}, but a classifier needs at least two")


def together(*columns: Sequence[Hashable]) -> list[int]:
    """Join rows that have an equal value in any of the columns.

    Args:
        *columns: N values each; None is not equal to anything.

    Returns:
        A number for each row, equal for rows that are joined directly or through other rows.
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
    """Split rows into three parts, with nearly the same share of each class in every part.

    Args:
        labels: labels of the N rows.
        units: numbers of the rows; rows with equal numbers are kept in one part.
        valid, test: the shares of these parts; the rest is for training.
        seed: seed of the split.

    Returns:
        The rows of "train", "valid" and "test", each in increasing order. A class of three or more
        units is in every part whose share is above 0, and each class is in the training part.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for row, unit in enumerate(units):
        members[unit].append(row)
    # Groups with several classes, such as speakers, are split as one kind.
    kinds: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    for rows in members.values():
        names = {labels[row] for row in rows}
        kinds[tuple(names) if len(names) == 1 else ()].append(rows)
    rng = np.random.default_rng(seed)
    parts: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    kept = Counter(labels)
    for kind in sorted(kinds):
        group = [kinds[kind][i] for i in rng.permutation(len(kinds[kind]))]
        total, many = sum(map(len, group)), len(group) >= 3
        for part, share, to_come in (("test", test, valid > 0), ("valid", valid, False)):
            target, taken = math.floor(share * total + 0.5), 0
            # One unit is left for training, and one for the part still to come.
            least = 1 + (many and to_come)
            while share > 0 and len(group) > least and (taken < target or (many and not taken)):
                unit = _spare(group, labels, kept)
                if unit is None:
                    break
                group.remove(unit)
                kept.subtract(labels[row] for row in unit)
                taken += len(unit)
                parts[part] += unit
        parts["train"] += [row for rows in group for row in rows]
    return {name: np.array(sorted(rows), int) for name, rows in parts.items()}


def _spare(
    units: Sequence[list[int]], labels: Sequence[str], kept: Mapping[str, int]
) -> list[int] | None:
    """Find the last unit with at most half of the rows whose removal leaves some of each class."""
    total = sum(map(len, units))
    for rows in reversed(units):
        if 2 * len(rows) <= total and all(
            kept[name] > count for name, count in Counter(labels[row] for row in rows).items()
        ):
            return rows
    return None


def balanced(truth: np.ndarray, classes: int) -> np.ndarray:
    """Compute weights of the examples, of mean 1, with which every class counts the same.

    Args:
        truth: classes of the examples, (N,).
        classes: C, the number of classes.
    """
    counts = np.bincount(truth, minlength=classes)
    return (len(truth) / ((counts > 0).sum() * counts[truth])).astype(np.float32)


def _number(name: str) -> float | None:
    try:
        number = float(name)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
