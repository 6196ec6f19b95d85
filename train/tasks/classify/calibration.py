"""Calibration: whether predictions of 80% are right 80 times out of 100, and a temperature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BINS = 10
STEPS = 60
LOWEST, HIGHEST = 0.05, 20.0
LEAST = -100.0  # ln p, in place of -inf for impossible classes


def tempered(logs: np.ndarray, temperature: float) -> np.ndarray:
    """Divide log probabilities by a temperature and normalize them; the best class stays.

    Args:
        logs: ln p of every class, (N, C).
        temperature: a temperature above 1 makes a model less confident.
    """
    if temperature == 1.0:
        return logs
    scaled = logs.astype(np.float64) / temperature
    maximum = scaled.max(-1, keepdims=True)
    return scaled - maximum - np.log(np.exp(scaled - maximum).sum(-1, keepdims=True))


def fit_temperature(logs: np.ndarray, truth: np.ndarray) -> float:
    """Fit the temperature with the smallest mean nats (Guo et al. 2017).

    If all N predictions were right, no temperature would be low enough. Therefore, much as in Platt
    (1999), the truth counts as another class half a time in N + 1. The nats are convex in
    1 / temperature, and a bisection of their slope finds the minimum.

    Args:
        logs: ln p of every class, (N, C), for held-out sequences.
        truth: their classes, (N,).

    Returns:
        The temperature, in [0.05, 20].
    """
    count, classes = logs.shape
    doubt = 0.5 / (count + 1)
    targets = np.full((count, classes), doubt / max(classes - 1, 1))
    targets[np.arange(count), truth] = 1 - doubt
    logs = np.maximum(logs.astype(np.float64), LEAST)
    expected = (targets * logs).sum(-1)
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(STEPS):
        sharpness = (low + high) / 2
        p = np.exp(tempered(logs, 1 / sharpness))
        slope = ((p * logs).sum(-1) - expected).mean()
        low, high = (sharpness, high) if slope < 0 else (low, sharpness)
    return float(2 / (low + high))


class Bin(NamedTuple):
    """Store the number, mean confidence and accuracy of predictions of similar confidence."""

    size: int
    confidence: float
    accuracy: float


def reliability(logs: np.ndarray, truth: np.ndarray) -> list[Bin]:
    """Group predictions by their confidence into ten bins of equal width.

    Args:
        logs: ln p of every class, (N, C).
        truth: the true classes, (N,).

    Returns:
        The bins that are not empty, the least confident first.
    """
    confidence, right = np.exp(logs.max(-1)), logs.argmax(-1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(int(members.sum()), float(confidence[members].mean()), float(right[members].mean()))
        for members in (bins == index for index in range(BINS))
        if members.any()
    ]


def calibration_error(logs: np.ndarray, truth: np.ndarray) -> float:
    """Compute the expected calibration error: the mean gap between confidence and accuracy.

    Args:
        logs, truth: as in `reliability`.
    """
    bins = reliability(logs, truth)
    gaps = sum(group.size * abs(group.confidence - group.accuracy) for group in bins)
    return float(gaps / max(len(truth), 1))
