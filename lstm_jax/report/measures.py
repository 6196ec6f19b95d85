"""Measures for several questions: predictions with the steps before them, norms, means, lines.

Logarithms are natural. Over several predictions or texts, a norm is a geometric mean. NumPy
computes in float64, because small numbers are squared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lstm_jax.recurrence import StackState
from lstm_jax.report.reading import Reading, Settings
from lstm_jax.trees import Tree

S = TypeVar("S")


class Line(NamedTuple):
    """Store the slope and the R² of a fitted straight line."""

    slope: float
    r2: float


def line(x: np.ndarray, y: np.ndarray) -> Line | None:
    """Fit a straight line to the finite points.

    Args:
        x: (N,).
        y: (N,).

    Returns:
        The line; None if there are too few points, or if all have the same y.
    """
    kept = np.isfinite(y)
    x, y = x[kept], y[kept]
    if len(x) < 3 or np.ptp(y) == 0:
        return None
    slope, level = np.polyfit(x, y, 1)
    residuals = y - slope * x - level
    return Line(float(slope), float(1 - residuals.var() / y.var()))


def predictions(reading: Reading) -> tuple[Array, StackState, Callable[[StackState], Array]]:
    """Collect the windows before some predictions of each text, side by side.

    Each window begins in the state that the text has led to. If a row has a single loss, it has one
    window, at its end.

    Args:
        reading: of B texts; its settings are the number of predictions per text and the length of
            a window.

    Returns:
        `(xs, state, loss)`: inputs (lags, N, E), states with leaves (N, H), and a function from
        states with leaves (lags, N, H) to the summed loss of the predictions.
    """
    ends, whole = _ends(reading), reading.whole
    windows = [window(reading, end, row) for row, row_ends in enumerate(ends) for end in row_ends]
    xs = jnp.stack([xs for xs, _ in windows], axis=1)
    start = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[state for _, state in windows])
    targets = reading.streams.targets
    if not whole:
        targets = np.array(
            [targets[row, end - 1] for row, row_ends in enumerate(ends) for end in row_ends]
        )
    before = reading.states.h[: reading.settings.steps - len(xs)]

    def loss(states: StackState) -> Array:
        hs = jnp.concatenate([before, states.h]) if whole else states.h
        return reading.reader.loss(hs, targets).sum()

    return xs, start, loss


def _ends(reading: Reading) -> np.ndarray:
    rows, settings = len(reading.streams.inputs), reading.settings
    return np.full((rows, 1), settings.steps) if reading.whole else prediction_ends(settings, rows)


def prediction_ends(settings: Settings, rows: int) -> np.ndarray:
    """Choose the predictions whose gradients are traced back.

    They are evenly spaced in a text and shifted from text to text, because all poems of a form
    have their full stops in the same places, and a full stop differs from other characters.

    Args:
        settings: `steps` of a text, `lags` of a window, `ends` in each text.
        rows: B, number of texts.

    Returns:
        Numbers of symbols read before each prediction, (B, ends), in [lags, steps].
    """
    room = settings.steps - settings.lags
    shift = (np.arange(rows) + 0.5) / rows
    fractions = (np.arange(settings.ends) + shift[:, None]) / settings.ends
    return settings.lags + np.rint(fractions * room).astype(int)


def window(reading: Reading, end: int, row: int) -> tuple[Array, StackState]:
    """Return the inputs of the last `lags` steps before a place in a text.

    Args:
        reading: of some texts.
        end: number of symbols read at the end of the window.
        row: the row of the text.

    Returns:
        Inputs (lags, E), and the state before them, without batch axes.
    """
    first = end - reading.settings.lags
    if first:
        start = jax.tree.map(lambda leaf: leaf[first - 1, row], reading.states)
    else:
        start = reading.reader.start
    return reading.xs[first:end, row], start


def without_a_cell(reading: Reading) -> str | None:
    """Return why a model has no cell and gates to ask about, or None if it has them."""
    if reading.gates is not None:
        return None
    return f"its layers have {type(reading.reader.params[0]).__name__}, without an LSTM's cell"


def size_of(state: Tree) -> int:
    """Count the numbers in a state."""
    return sum(leaf.size for leaf in jax.tree.leaves(state))


def norms_by_lag(adjoints: S) -> S:
    """Compute the norms of each sequence, as `lstm_jax.diagnostics.norms_by_lag`, in float64.

    Args:
        adjoints: leaves (T + 1, N, H).

    Returns:
        The same structure, leaves (T + 1, N), by lag.
    """
    return jax.tree.map(lambda leaf: np.linalg.norm(wide(leaf)[::-1], axis=-1), adjoints)


def whole(norms: Tree) -> np.ndarray:
    """Compute the norm over all leaves together."""
    return np.sqrt(sum(leaf**2 for leaf in jax.tree.leaves(norms)))


def mean_ln(norms: np.ndarray) -> np.ndarray:
    """Compute the mean of ln over the last axis, i.e. ln of the geometric mean; NaN if empty."""
    if not norms.shape[-1]:
        return np.full(len(norms), np.nan)
    return np.log(norms).mean(-1)


def wide(array: ArrayLike) -> np.ndarray:
    """Convert an array to float64, for NumPy."""
    return np.asarray(array, np.float64)
