"""Pictures of Lyapunov exponents and fixed points."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lstm_jax.animation.colors import color_map
from lstm_jax.diagnostics import FixedPoints, LyapunovSpectrum
from lstm_jax.plots.drawing import COLORS, INK, SOFT, begin, end, once

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def lyapunov_exponents(exponents: ArrayLike, *, axes: Axes | None = None) -> Figure:
    """Draw finite-time Lyapunov exponents, with mean and standard deviation over trajectories.

    Args:
        exponents: in nats per step, (k,), or (N, k) for N trajectories, drawn as points.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    values = np.atleast_2d(np.asarray(exponents, np.float64))
    axes = begin(axes, "Lyapunov spectrum", "index", "exponent λ (nats per step)")
    index = np.arange(1, values.shape[1] + 1)
    if len(values) > 1:
        axes.plot(
            index,
            values.T,
            ".",
            color=COLORS[3],
            ms=4,
            label=once(len(values), "each trajectory"),
        )
        style = {"fmt": "o", "ms": 4, "capsize": 3, "lw": 1.2}
        label = f"mean ± standard deviation, {len(values)} trajectories"
        axes.errorbar(index, values.mean(0), values.std(0), color=INK, label=label, **style)
    else:
        axes.plot(index, values[0], "o", color=INK, ms=4, label="one trajectory")
    axes.axhline(0, color=SOFT, lw=0.8, ls=":", label="0: chaos above, contraction below")
    axes.set_xlim(0.5, len(index) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    return end(axes)


def lyapunov_convergence(
    spectrum: LyapunovSpectrum, *, spread: ArrayLike | None = None, axes: Axes | None = None
) -> Figure:
    """Draw the estimates of the exponents by number of steps.

    Where a curve is still moving, the trajectory is too short for it.

    Args:
        spectrum: of one trajectory, or of a batch, of which the mean is drawn.
        spread: standard deviations, in the shape of the curve (R, k), of which that of the first
            exponent is drawn. For a batch they are computed.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    mean, times = np.asarray(spectrum.curve, np.float64), np.asarray(spectrum.times)
    if mean.ndim == 3:
        mean, spread, times = mean.mean(0), mean.std(0), times[0]
    axes = begin(axes, "Convergence", "steps", "estimate of λ (nats per step)")
    darkest = _from_first_to_last(axes, times, mean)
    if spread is not None:
        low, high = (mean[:, 0] + sign * np.asarray(spread)[:, 0] for sign in (-1, 1))
        axes.fill_between(times, low, high, color=darkest, alpha=0.15, lw=0)
    axes.axhline(0, color=SOFT, lw=0.8, ls=":")
    return end(axes, reverse=True)


def exponents_over_training(
    steps: ArrayLike,
    exponents: ArrayLike,
    *,
    title: str = "Lyapunov exponents over training",
    axes: Axes | None = None,
) -> Figure:
    """Draw the largest Lyapunov exponents of a model while it trains, one line for each.

    Args:
        steps: numbers of training steps, (N,), such as the "step" of each line of health.jsonl.
        exponents: in nats per step of a sequence, (N, k), such as its "exponents".
        title: of the axes.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    values = np.asarray(exponents, np.float64)
    axes = begin(axes, title, "training steps", "exponent λ (nats per step)")
    axes.axhline(0, color=SOFT, lw=0.8, ls=":", label="chaos above")
    _from_first_to_last(axes, steps, values)
    return end(axes, reverse=True)


def fixed_points(points: FixedPoints, *, slow: float = 1e-4, axes: Axes | None = None) -> Figure:
    """Draw the eigenvalues of ∂F/∂s at fixed and slow points, and the unit circle.

    Args:
        points: the result of `lstm_jax.diagnostics.fixed_points`.
        slow: speed above which points are drawn faintly, because they have not come to rest.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Eigenvalues at fixed points", "real part", "imaginary part")
    axes.add_patch(Circle((0, 0), 1, fill=False, color=SOFT, lw=1))
    values, speeds = np.asarray(points.eigenvalues), np.asarray(points.speeds)
    stable = np.asarray(points.stable)
    kinds = (
        ("stable", stable & (speeds <= slow), "o", COLORS[0], 0.8),
        ("unstable", ~stable & (speeds <= slow), "^", COLORS[1], 0.8),
        (f"faster than {slow:g}: not at rest", speeds > slow, "x", SOFT, 0.4),
    )
    for name, chosen, marker, color, alpha in kinds:
        if chosen.any():
            eigenvalues = values[chosen].ravel()
            label = f"{name} ({chosen.sum()})"
            style = {"ls": "none", "ms": 4, "color": color, "alpha": alpha, "label": label}
            axes.plot(np.real(eigenvalues), np.imag(eigenvalues), marker=marker, **style)
    reach = 1.08 * max(1.0, float(np.abs(values).max()))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return end(axes)


def _from_first_to_last(axes: Axes, x: ArrayLike, exponents: np.ndarray) -> np.ndarray:
    """Draw a line for each column (N, k), from dark to light, and return the first color."""
    shades = color_map("gate", "light")[np.linspace(255, 110, exponents.shape[1]).astype(int)] / 255
    for column in reversed(range(exponents.shape[1])):
        labeled = column in (0, exponents.shape[1] - 1)
        label = f"λ{str(column + 1).translate(SUBSCRIPTS)}" if labeled else None
        width = 2 if column == 0 else 1
        axes.plot(x, exponents[:, column], color=shades[column], lw=width, label=label)
    return shades[0]
