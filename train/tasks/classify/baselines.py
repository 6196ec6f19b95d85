"""Simple baselines for classifiers: the most frequent class, naive Bayes, and the nearest mean.

Each returns ln p of every class, so that it can be measured in the same way as a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

PARTS = 4  # parts of a sequence whose means are compared


def majority(train: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Predict the shares of the classes in training for every sequence, with add-one smoothing.

    Args:
        train: classes of the training sequences, (N,).
        count: M, the number of sequences to classify.
        classes: C, the number of classes.

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
    """Classify texts by multinomial naive Bayes over their words, with add-one smoothing.

    Args:
        train: words of the N training texts.
        truth: their classes, (N,).
        texts: words of the M texts to classify; words that are not in training are ignored.
        classes: C, the number of classes.

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
    logits = [prior + logs[[known[w] for w in words if w in known]].sum(0) for words in texts]
    return _normalized(np.stack(logits))


def nearest_mean(
    train: Sequence[np.ndarray], truth: np.ndarray, sequences: Sequence[np.ndarray], classes: int
) -> np.ndarray:
    """Classify sequences by the distance of their `profile` to the mean of each class.

    Args:
        train: the N training sequences (T, D), scaled; T may differ.
        truth: their classes, (N,).
        sequences: the M sequences to classify.
        classes: C, the number of classes.

    Returns:
        ln p, (M, C), with one variance for all classes.
    """
    profiles = np.stack([profile(sequence) for sequence in train])
    means = np.stack(
        [profiles[truth == label].mean(0) if (truth == label).any() else profiles.mean(0)
         for label in range(classes)]
    )  # fmt: skip
    variance = max(float(((profiles - means[truth]) ** 2).mean()), 1e-12)
    queries = np.stack([profile(sequence) for sequence in sequences])
    distance = ((queries[:, None] - means[None]) ** 2).sum(-1)
    return _normalized(-distance / (2 * variance))


def profile(sequence: np.ndarray) -> np.ndarray:
    """Compute the means of the four quarters of a sequence (T, D), joined, (4 D,)."""
    edges = np.linspace(0, len(sequence), PARTS + 1)
    starts = np.minimum(edges[:-1].astype(int), len(sequence) - 1)
    ends = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    means = [sequence[start:end].mean(0) for start, end in zip(starts, ends, strict=True)]
    return np.concatenate(means)


def _normalized(logs: np.ndarray) -> np.ndarray:
    maximum = logs.max(-1, keepdims=True)
    return logs - maximum - np.log(np.exp(logs - maximum).sum(-1, keepdims=True))
