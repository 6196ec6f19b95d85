"""Pictures of the Jacobians of single steps and of their products."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from lstm_jax.animation.colors import color_map
from lstm_jax.diagnostics import ProductSpectrum, StepNorms
from lstm_jax.plots.drawing import BOUND, COLORS, INK, LAG, SOFT, begin, decades, end, log_lags


def step_norms(norms: StepNorms, *, first: int = 1, axes: Axes | None = None) -> Figure:
    """Draw the norms of each step's Jacobian over time.

    Args:
        norms: the result of `lstm_jax.diagnostics.step_norms`.
        first: the number of the first step.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Norms of single steps", "step", "norm of J = ∂s(t)/∂s(t − 1)")
    steps = first + np.arange(len(norms.log_spectral))
    lines = (
        ("Frobenius ‖J‖, all directions", "--", COLORS[0], norms.log_frobenius),
        ("spectral ‖J‖, steepest direction", "-", INK, norms.log_spectral),
    )
    for name, style, color, logs in lines:
        axes.plot(steps, np.exp(np.asarray(logs, np.float64)), style, color=color, label=name)
    axes.axhline(1, color=SOFT, lw=0.8, ls=":", label="1: below, nothing can grow")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 1000 * low:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    return end(axes)


def product_spectrum(spectrum: ProductSpectrum, *, axes: Axes | None = None) -> Figure:
    """Draw the largest singular values of ∂s_T/∂s_{T-lag} by lag.

    Args:
        spectrum: the result of `lstm_jax.diagnostics.product_spectrum`.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Singular values of the product", LAG, "log₁₀ σ of ∂s(T)/∂s(T − lag)")
    values = decades(spectrum.log_singular_values)
    count = values.shape[1]
    shades = color_map("gate", "light")[np.linspace(255, 110, count).astype(int)] / 255
    for index in reversed(range(count)):
        label = f"$\\sigma_{{{index + 1}}}$" if index in (0, count - 1) else None
        style = {"color": shades[index], "lw": 2 if index == 0 else 1, "ms": 3, "label": label}
        axes.plot(spectrum.lags, values[:, index], marker="o", **style)
    axes.axhline(0, color=SOFT, lw=0.8, ls=":", label="neither growth nor decay")
    log_lags(axes, int(np.max(spectrum.lags)))
    return end(axes, reverse=True)


def product_bound(
    spectrum: ProductSpectrum, log_bound: ArrayLike, *, axes: Axes | None = None
) -> Figure:
    """Draw the spectral norm of ∂s_T/∂s_{T-lag} with the upper bound from the step norms.

    Args:
        spectrum: of the true product.
        log_bound: the result of `lstm_jax.diagnostics.log_bound`, (T + 1,), by lag.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "True norm and upper bound", LAG, "log₁₀ of the norm")
    bound = decades(log_bound)
    name = "upper bound: product of step norms"
    axes.plot(np.arange(len(bound)), bound, "--", color=BOUND, label=name)
    norm = decades(spectrum.log_spectral_norm)
    label = "true norm of the product"
    axes.plot(spectrum.lags, norm, color=INK, marker="o", ms=3, lw=2, label=label)
    axes.axhline(0, color=SOFT, lw=0.8, ls=":")
    return end(axes)
