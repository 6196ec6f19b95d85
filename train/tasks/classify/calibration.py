"""Whether a probability of 80% is right 80 times of 100, and one number that mends it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BINS = 10
STEPS = 60
LOWEST, HIGHEST = 0.05, 20.0
LEAST = -100.0  # ln p; of what is impossible it is -inf


def tempered(logs: np.ndarray, temperature: float) -> np.ndarray:
    """Divide logits by a temperature; of ln p it gives ln p again, and the same best class.

    Args:
        logs: ln p of every class, (N, C).
        temperature: above 1 makes a model less sure.
    """
    if temperature == 1.0:
        return logs
    scaled = logs.astype(np.float64) / temperature
    most = scaled.max(-1, keepdims=True)
    return scaled - most - np.log(np.exp(scaled - most).sum(-1, keepdims=True))


def fit_temperature(logs: np.ndarray, truth: np.ndarray) -> float:
    """Find the temperature with the least mean nats (Guo et al. 2017).

    Where all N are right, no temperature would be low enough; so, much as Platt (1999) has it, the
    truth is taken to be another class half a time in N + 1. The nats are convex in
    1 / temperature, and a bisection of their slope finds the least.

    Args:
        logs: ln p of every class, (N, C), of sequences that the model did not learn from.
        truth: their classes, (N,).

    Returns:
        The temperature, in [0.05, 20].
    """
    count, classes = logs.shape
    doubt = 0.5 / (count + 1)
    targets = np.full((count, classes), doubt / max(classes - 1, 1))
    targets[np.arange(count), truth] = 1 - doubt
    logs = np.maximum(logs.astype(np.float64), LEAST)
    said = (targets * logs).sum(-1)
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(STEPS):
        sharpness = (low + high) / 2
        p = np.exp(tempered(logs, 1 / sharpness))
        slope = ((p * logs).sum(-1) - said).mean()
        low, high = (sharpness, high) if slope < 0 else (low, sharpness)
    return float(2 / (low + high))


class Bin(NamedTuple):
    """The judgements of nearly one probability: how many, how sure, and how many right."""

    size: int
    confidence: float
    accuracy: float


def reliability(logs: np.ndarray, truth: np.ndarray) -> list[Bin]:
    """Sort judgements by the probability of their class into ten bins of equal width.

    Args:
        logs: ln p of every class, (N, C).
        truth: the classes, (N,).

    Returns:
        The bins that hold any, the least sure first.
    """
    sure, right = np.exp(logs.max(-1)), logs.argmax(-1) == truth
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [
        Bin(int(own.sum()), float(sure[own].mean()), float(right[own].mean()))
        for own in (bins == index for index in range(BINS))
        if own.any()
    ]


def calibration_error(logs: np.ndarray, truth: np.ndarray) -> float:
    """Give the expected calibration error: how far sureness is from being right, on average.

    Args:
        logs, truth: as in `reliability`.
    """
    bins = reliability(logs, truth)
    off = sum(one.size * abs(one.confidence - one.accuracy) for one in bins)
    return float(off / max(len(truth), 1))
