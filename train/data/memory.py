"""Generated tasks that need long memory: adding, copy, temporal order and the flip-flop.

Each is a pure function of a random generator, in the format of its paper: adding (experiment 4)
and temporal order (experiment 6a) of Hochreiter & Schmidhuber 1997, copy of Arjovsky et al. 2016,
flip-flop of Sussillo & Barak 2013. The `steps` T of a task are the lag as the papers define it;
the sequences are a little longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstm_jax.train.batch import Batch

COPY_SYMBOLS = 8
COPY_LENGTH = 10
ORDER_SYMBOLS = 8  # E, B, four distractors, X, Y
FLIPFLOP_BITS = 3
FLIPFLOP_RATE = 0.1  # of pulses, in each channel and step
PUZZLES = ("adding", "copy", "order", "flipflop")
LEAST_STEPS = {
    "adding": 24,
    "copy": 1,
    "order": 20,
    "flipflop": 1,
}  # the smallest T that has room for each


class Puzzle(NamedTuple):
    """Describe one of the `PUZZLES`.

    `generate(rng, count, steps)` returns a batch: `inputs` (B, L, D) float32, right-padded to one
    length L, `lengths` (B,) int32, and `targets`. If `every_step`, targets are (B, L) int32 classes
    for copy and (B, L, 3) float32 for flipflop, else (B,), float32 for adding and int32 classes for
    order. D is `in_features`.
    """

    generate: Callable[[np.random.Generator, int, int], Batch[np.ndarray]]
    in_features: int
    out_features: int
    every_step: bool


def puzzle(name: str) -> Puzzle:
    """Return the puzzle with a name.

    Args:
        name: one of `PUZZLES`.

    Raises:
        ValueError: if the name is unknown.
    """
    known = {
        "adding": Puzzle(adding, 2, 1, False),
        "copy": Puzzle(copy, COPY_SYMBOLS + 2, COPY_SYMBOLS + 1, True),
        "order": Puzzle(order, ORDER_SYMBOLS, 4, False),
        "flipflop": Puzzle(flipflop, FLIPFLOP_BITS, FLIPFLOP_BITS, True),
    }
    if name not in known:
        raise ValueError(f"there is no problem {name!r}; the problems are {', '.join(known)}")
    return known[name]


def adding(rng: np.random.Generator, count: int, steps: int) -> Batch[np.ndarray]:
    """Draw sequences with two marked numbers; the target at the end is 0.5 + (X1 + X2) / 4.

    Inputs are pairs (value in [-1, 1], marker). The marker is 1 at one of the first ten pairs and
    at another of the first T/2 - 1 pairs, -1 at the first and the last pair, and 0 elsewhere. A
    marked first pair counts as 0. Lengths are uniform in [T, T + T/10].

    Args:
        rng: random generator.
        count: B, the number of sequences.
        steps: T, the lag.

    Raises:
        ValueError: if T is below 24, where T/2 - 1 pairs do not include the first ten.
    """
    _check("adding", count, steps)
    lengths = _lengths(rng, count, steps)
    rows, width = np.arange(count), steps + steps // 10
    values = rng.uniform(-1, 1, (count, width))
    first = rng.integers(0, 10, count)
    second = rng.integers(0, steps // 2 - 2, count)
    second += second >= first  # skips the pair that is marked already
    markers = np.zeros((count, width))
    markers[rows, first] = markers[rows, second] = 1
    markers[:, 0] = markers[rows, lengths - 1] = -1
    marked = [np.where(place == 0, 0, values[rows, place]) for place in (first, second)]
    inputs = np.stack([values, markers], -1)
    inputs[np.arange(width) >= lengths[:, None]] = 0
    targets = 0.5 + (marked[0] + marked[1]) / 4
    return Batch(inputs.astype(np.float32), targets.astype(np.float32), lengths=lengths)


def copy(rng: np.random.Generator, count: int, steps: int) -> Batch[np.ndarray]:
    """Draw ten symbols, T - 1 blanks, a go sign, and ten blanks to repeat the symbols in.

    The length is T + 20; the target is blank (class 0) except in the last ten steps. A model that
    knows only when to answer has a mean loss of 10 ln 8 / (T + 20) nats.

    Args:
        rng, count, steps: as in `adding`.
    """
    _check("copy", count, steps)
    symbols = rng.integers(1, COPY_SYMBOLS + 1, (count, COPY_LENGTH))
    width = steps + 2 * COPY_LENGTH
    read = np.zeros((count, width), np.int32)
    read[:, :COPY_LENGTH] = symbols
    read[:, -COPY_LENGTH - 1] = COPY_SYMBOLS + 1
    targets = np.zeros((count, width), np.int32)
    targets[:, -COPY_LENGTH:] = symbols
    lengths = np.full(count, width, np.int32)
    return Batch(_one_hot(read, COPY_SYMBOLS + 2), targets, lengths=lengths)


def order(rng: np.random.Generator, count: int, steps: int) -> Batch[np.ndarray]:
    """Draw distractors with X or Y at two distant places; the class is one of XX, XY, YX, YY.

    A sequence starts with E and ends with B. X or Y stands at one place in [T/10, T/5] and at one
    place in [T/2, 3T/5], and one of four distractors everywhere else. Lengths are uniform in
    [T, T + T/10].

    Args:
        rng, count, steps: as in `adding`.

    Raises:
        ValueError: if T is below 20, where the places have no room.
    """
    _check("order", count, steps)
    lengths = _lengths(rng, count, steps)
    rows, width = np.arange(count), steps + steps // 10
    read = rng.integers(2, 6, (count, width))
    kinds = rng.integers(0, 2, (count, 2))
    early = rng.integers(steps // 10, steps // 5 + 1, count)
    late = rng.integers(steps // 2, 3 * steps // 5 + 1, count)
    read[rows, early], read[rows, late] = 6 + kinds[:, 0], 6 + kinds[:, 1]
    read[:, 0] = 0
    read[rows, lengths - 1] = 1
    inputs = _one_hot(read, ORDER_SYMBOLS)
    inputs[np.arange(width) >= lengths[:, None]] = 0
    targets = 2 * kinds[:, 0] + kinds[:, 1]
    return Batch(inputs, targets.astype(np.int32), lengths=lengths)


def flipflop(rng: np.random.Generator, count: int, steps: int) -> Batch[np.ndarray]:
    """Send pulses to three channels; each output is to hold the sign of its last pulse.

    A pulse is 1 or -1 with equal chances, and comes to each channel at one step in ten, at random
    and independently; the input is 0 elsewhere. The first step has a pulse in every channel, so
    every bit is known from there on. All lengths are T.

    Args:
        rng, count, steps: as in `adding`.
    """
    _check("flipflop", count, steps)
    shape = (count, steps, FLIPFLOP_BITS)
    pulsed = rng.random(shape) < FLIPFLOP_RATE
    pulsed[:, 0] = True
    inputs = np.where(pulsed, rng.choice([-1.0, 1.0], shape), 0.0).astype(np.float32)
    places = np.where(pulsed, np.arange(steps)[:, None], 0)
    latest = np.maximum.accumulate(places, axis=1)
    targets = np.take_along_axis(inputs, latest, axis=1)
    return Batch(inputs, targets, lengths=np.full(count, steps, np.int32))


def trivial_loss(steps: int) -> float:
    """Compute the mean loss of copy without any memory, 10 ln 8 / (T + 20) nats per step.

    Args:
        steps: T, the lag.
    """
    return COPY_LENGTH * np.log(COPY_SYMBOLS).item() / (steps + 2 * COPY_LENGTH)


def _lengths(rng: np.random.Generator, count: int, steps: int) -> np.ndarray:
    return rng.integers(steps, steps + steps // 10 + 1, count, dtype=np.int32)


def _one_hot(ids: np.ndarray, size: int) -> np.ndarray:
    return np.eye(size, dtype=np.float32)[ids]


def _check(name: str, count: int, steps: int) -> None:
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if steps < LEAST_STEPS[name]:
        raise ValueError(f"steps must be at least {LEAST_STEPS[name]} for {name}, got {steps}")
