"""What several questions need: predictions with the steps before them, norms, means, lines.

Logarithms are natural. Where there are several predictions or texts, a norm is their geometric
mean. What NumPy does here is in float64: small numbers are squared.
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
    """The straight line nearest to some points: its slope, and R²."""

    slope: float
    r2: float


def line(x: np.ndarray, y: np.ndarray) -> Line | None:
    """Fit a straight line to the points that are finite.

    Args:
        x: where they are, (N,).
        y: (N,).

    Returns:
        The line; None where there are too few points, or all are equally high.
    """
    kept = np.isfinite(y)
    x, y = x[kept], y[kept]
    if len(x) < 3 or np.ptp(y) == 0:
        return None
    slope, level = np.polyfit(x, y, 1)
    rest = y - slope * x - level
    return Line(float(slope), float(1 - rest.var() / y.var()))


def predictions(reading: Reading) -> tuple[Array, StackState, Callable[[StackState], Array]]:
    """Give the windows before some predictions of each text, side by side.

    Each begins in the state in which the text has left the model there. Where a loss is of a whole
    row, there is one of each, and the window is the row's end.

    Args:
        reading: of B texts; `settings` say how many predictions of each, and how long a window.

    Returns:
        `(xs, state, loss)`: inputs (lags, N, E), states with leaves (N, H), and the summed loss
        of the predictions from states with leaves (lags, N, H).
    """
    ends, whole = _ends(reading), reading.whole
    windows = [window(reading, end, row) for row, of_row in enumerate(ends) for end in of_row]
    xs = jnp.stack([xs for xs, _ in windows], axis=1)
    start = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[state for _, state in windows])
    targets = reading.streams.targets
    if not whole:
        targets = np.array([targets[row, end - 1] for row, of in enumerate(ends) for end in of])
    before = reading.states.h[: reading.settings.steps - len(xs)]

    def loss(states: StackState) -> Array:
        hs = jnp.concatenate([before, states.h]) if whole else states.h
        return reading.reader.loss(hs, targets).sum()

    return xs, start, loss


def _ends(reading: Reading) -> np.ndarray:
    rows, settings = len(reading.streams.inputs), reading.settings
    return np.full((rows, 1), settings.steps) if reading.whole else prediction_ends(settings, rows)


def prediction_ends(settings: Settings, rows: int) -> np.ndarray:
    """Give how much of each text is read before the predictions that are followed back.

    Evenly spaced in a text, and shifted from text to text: verses have their full stops at the
    same places, and a full stop is not like other characters.

    Args:
        settings: `steps` of a text, `lags` of a window, `ends` in each text.
        rows: B, texts.

    Returns:
        Numbers of symbols, (B, ends), in [lags, steps].
    """
    room = settings.steps - settings.lags
    shift = (np.arange(rows) + 0.5) / rows
    places = (np.arange(settings.ends) + shift[:, None]) / settings.ends
    return settings.lags + np.rint(places * room).astype(int)


def window(reading: Reading, end: int, row: int) -> tuple[Array, StackState]:
    """Give what a text read in the `lags` steps before one of its symbols.

    Args:
        reading: of some texts.
        end: how much of the text is read at the end of the window.
        row: of the text.

    Returns:
        Inputs, (lags, E), and the state before them, without batch axes.
    """
    first = end - reading.settings.lags
    if first:
        start = jax.tree.map(lambda leaf: leaf[first - 1, row], reading.states)
    else:
        start = reading.reader.start
    return reading.xs[first:end, row], start


def without_a_cell(reading: Reading) -> str | None:
    """Say why an LSTM's cell and gates cannot be asked about; None where they can."""
    if reading.gates is not None:
        return None
    return f"its layers are of {type(reading.reader.params[0]).__name__}, without such a cell"


def size_of(state: Tree) -> int:
    """Count the numbers of a state."""
    return sum(leaf.size for leaf in jax.tree.leaves(state))


def norms_by_lag(adjoints: S) -> S:
    """Give what `lstm_jax.diagnostics.norms_by_lag` does, of each sequence, in float64.

    Args:
        adjoints: leaves (T + 1, N, H).

    Returns:
        The same structure, leaves (T + 1, N), by lag.
    """
    return jax.tree.map(lambda leaf: np.linalg.norm(wide(leaf)[::-1], axis=-1), adjoints)


def whole(norms: Tree) -> np.ndarray:
    """Give the norm over all leaves together."""
    return np.sqrt(sum(leaf**2 for leaf in jax.tree.leaves(norms)))


def mean_ln(norms: np.ndarray) -> np.ndarray:
    """Give the mean of ln over the last axis: ln of the geometric mean, NaN of none."""
    if not norms.shape[-1]:
        return np.full(len(norms), np.nan)
    return np.log(norms).mean(-1)


def wide(array: ArrayLike) -> np.ndarray:
    """Give the same in float64, for NumPy."""
    return np.asarray(array, np.float64)
