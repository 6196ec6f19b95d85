"""What costs nothing to know of a class: the most frequent one, words counted, nearest means.

Each gives ln p of every class, so that the same figures can be told of it as of a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

PARTS = 4  # of a sequence, whose means are compared


def majority(train: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Give every sequence the shares of the classes in training, each seen once more.

    Args:
        train: classes of the training sequences, (N,).
        count: M, sequences to judge.
        classes: C.

    Returns:
        ln p, (M, C).
    """
    shares = np.bincount(train, minlength=classes) + 1.0
    return np.tile(np.log(shares / shares.sum()), (count, 1))


def naive_bayes(
    train: Sequence[Sequence[str]],
    truth: np.ndarray,
    texts: Sequence[Sequence[str]],
    classes: int,
) -> np.ndarray:
    """Judge texts by multinomial naive Bayes over their words, add-one.

    Args:
        train: words of the training texts, N.
        truth: their classes, (N,).
        texts: words of the texts to judge, M; those that training has not are passed over.
        classes: C.

    Returns:
        ln p, (M, C).
    """
    known: dict[str, int] = {}
    for words in train:
        for word in words:
            known.setdefault(word, len(known))
    counts = np.ones((len(known), classes))
    for words, label in zip(train, truth.tolist(), strict=True):
        for word, count in Counter(words).items():
            counts[known[word], label] += count
    logs = np.log(counts / counts.sum(0))
    prior = np.bincount(truth, minlength=classes) + 1.0
    prior = np.log(prior / prior.sum())
    found = [prior + logs[[known[w] for w in words if w in known]].sum(0) for words in texts]
    return _normalised(np.stack(found))


def nearest_mean(
    train: Sequence[np.ndarray], truth: np.ndarray, sequences: Sequence[np.ndarray], classes: int
) -> np.ndarray:
    """Judge sequences by how near they are to the mean of each class, as `profile` sees them.

    Args:
        train: the training sequences, N arrays (T, D), scaled; T may differ.
        truth: their classes, (N,).
        sequences: M, to judge.
        classes: C.

    Returns:
        ln p, (M, C), of one variance for all classes.
    """
    seen = np.stack([profile(sequence) for sequence in train])
    means = np.stack(
        [seen[truth == label].mean(0) if (truth == label).any() else seen.mean(0)
         for label in range(classes)]
    )  # fmt: skip
    variance = max(float(((seen - means[truth]) ** 2).mean()), 1e-12)
    asked = np.stack([profile(sequence) for sequence in sequences])
    distance = ((asked[:, None] - means[None]) ** 2).sum(-1)
    return _normalised(-distance / (2 * variance))


def profile(sequence: np.ndarray) -> np.ndarray:
    """Give the means of the quarters of a sequence (T, D), one after the other, (4 D,)."""
    edges = np.linspace(0, len(sequence), PARTS + 1)
    starts = np.minimum(edges[:-1].astype(int), len(sequence) - 1)
    ends = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    means = [sequence[start:end].mean(0) for start, end in zip(starts, ends, strict=True)]
    return np.concatenate(means)


def _normalised(logs: np.ndarray) -> np.ndarray:
    most = logs.max(-1, keepdims=True)
    return logs - most - np.log(np.exp(logs - most).sum(-1, keepdims=True))
