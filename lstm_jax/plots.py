"""Pictures of what `lstm_jax.diagnostics` finds, by matplotlib.

Every function takes arrays, or results of that package, and returns the `Figure`; given `axes`, it
draws there. Nothing goes through pyplot, so that there is no current figure and no window: show a
figure in a notebook by naming it, and keep it with `figure.savefig`. `import lstm_jax` does not
bring this module: ask for it by name.

Natural logarithms come in, as the diagnostics give them; what is drawn are powers of ten, or
decimal logarithms where floats would not hold them, and the axis says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from lstm_jax.animation import colour_map
from lstm_jax.diagnostics import (
    FixedPoints,
    GateHistogram,
    LyapunovSpectrum,
    ProductSpectrum,
    Roads,
    Saturation,
    StepNorms,
    influence_lag,
)

try:
    import matplotlib.style
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle
    from matplotlib.ticker import (
        FixedLocator,
        FuncFormatter,
        LogLocator,
        NullFormatter,
        NullLocator,
    )
except ImportError as error:
    raise ImportError(f'plots need matplotlib: pip install "lstm_jax[viz]" ({error})') from None

SIZE = (5.2, 3.7)  # inches, of one panel
INK, SOFT, FAINT, GRID = "#211f1b", "#6b665c", "#b5afa3", "#e9e5dc"
# Blue and orange first: told apart by hue and by lightness in every kind of colour blindness.
COLOURS = ("#1f5fa8", "#d5762c", "#211f1b", "#74b3dd", "#9e2b2b", "#5aa582")
BOUND = "#d5762c"
FRACTIONS = {"1/e": float(np.exp(-1)), "1 %": 0.01}
LAG = "lag (steps before the prediction)"
NATS_TO_DECADES = float(np.log10(np.e))


def new_figure(columns: int = 1, rows: int = 1, *, size: tuple[float, float] = SIZE) -> Figure:
    """A figure of empty panels, `figure.axes`, for functions that are given `axes`.

    Args:
        columns, rows: of panels.
        size: width and height of one panel, in inches.
    """
    figure = Figure((columns * size[0], rows * size[1]), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns, squeeze=False)
    return figure


def default_style() -> Any:
    """A context in which a user's own matplotlib settings do not hold."""
    return matplotlib.style.context(["default", {"svg.hashsalt": "lstm_jax"}])


# --- gradients by lag ----------------------------------------------------------------------------


def influence(
    norms: Any, *, band: Any = None, fractions: Mapping[str, float] = FRACTIONS, axes: Any = None
) -> Figure:
    """How much of its influence on the loss a past state has left, against its lag.

    A straight line is a power law; an exponential bends down.

    Args:
        norms: ‖dL/ds‖ by lag, (T + 1,), such as `norms_by_lag` gives; drawn relative to lag 0.
        band: a lower and an upper curve around it, each (T + 1,), already relative to lag 0.
        fractions: names and fractions in (0, 1), marked where the influence stays below them.
    """
    norms = np.asarray(norms, np.float64)
    axes = _begin(axes, "Influence of past states", LAG, "‖∂L/∂s‖ relative to lag 0")
    lags = np.arange(len(norms))
    if band is not None:
        low, high = (_positive(edge)[1:] for edge in band)
        label = "10 to 90 % of the predictions"
        axes.fill_between(lags[1:], low, high, color=COLOURS[0], alpha=0.15, lw=0, label=label)
    curve = _positive(norms / norms[0])
    axes.plot(lags[1:], curve[1:], color=COLOURS[0], lw=2, label="whole state s = (h, c)")
    axes.set_yscale("log")
    _log_lags(axes, len(norms) - 1)
    for (name, fraction), marker in zip(fractions.items(), "os^D" * len(fractions), strict=False):
        axes.axhline(fraction, color=SOFT, lw=0.8, ls=":")
        place = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "bottom"}
        axes.text(1, fraction, name, size=8, color=SOFT, **place)
        lag = int(influence_lag(norms, fraction))
        reached = lag < len(norms)
        said = f"below {name} from lag {lag} on" if reached else f"{name} not reached"
        at = ([lag], [curve[lag]]) if reached else ([], [])
        axes.plot(*at, marker, ms=7, mec=INK, mfc="white", mew=1.4, ls="none", label=said)
    return _end(axes, loc="lower left")


def adjoint_norms(norms: Any, *, axes: Any = None) -> Figure:
    """‖dL/dh‖ and ‖dL/dc‖ of each layer against the lag.

    A norm that is zero, as that of a c which the loss does not read at lag 0, is left out.

    Args:
        norms: a pytree as the state, leaves (T + 1,), as `norms_by_lag` gives it.
    """
    axes = _begin(axes, "Adjoints of each layer", LAG, "norm of ∂L/∂h or ∂L/∂c")
    leaves = jax.tree_util.tree_leaves_with_path(norms)
    longest = max(len(leaf) for _, leaf in leaves) - 1
    for order, (path, leaf) in enumerate(leaves):
        keys = [jax.tree_util.keystr((key,), simple=True) for key in path]
        layer = int(keys[0]) if keys and keys[0].isdigit() else None
        name = keys[-1] if keys else "h"
        label = name if layer is None else f"layer {layer + 1}, {name}"
        colour = COLOURS[(order if layer is None else layer) % len(COLOURS)]
        style = "--" if name == "c" else "-"
        axes.plot(np.arange(len(leaf))[1:], _positive(leaf)[1:], style, color=colour, label=label)
    axes.set_yscale("log")
    _log_lags(axes, longest)
    return _end(axes, loc="lower left")


def unit_adjoints(
    magnitudes: Any,
    *,
    timescales: Any = None,
    decades: float = 3,
    quantity: str = "|∂L/∂c|",
    axes: Any = None,
) -> Figure:
    """|dL/dc| of every unit, or group of units, against the lag, as a picture.

    Args:
        magnitudes: (T + 1, N); rows of the picture are the N, the first at the bottom.
        timescales: of each, (N,), ascending: labels for the rows.
        decades: below the largest value, that the colours span; what is smaller has the last.
        quantity: what the magnitudes are.
    """
    values = _positive(magnitudes) * np.ones(np.shape(magnitudes))
    axes = _begin(axes, "Adjoint of each unit's cell", LAG, "units")
    with np.errstate(invalid="ignore"):
        logs = np.log10(values)
    top = np.nanmax(logs)
    steps, rows = values.shape
    image = axes.imshow(
        np.nan_to_num(logs, nan=-np.inf).T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, steps - 0.5, -0.5, rows - 0.5),
        cmap=ListedColormap(colour_map("gate", "light") / 255),
        vmin=top - decades,
        vmax=top,
    )
    axes.grid(visible=False)
    if timescales is not None:
        ticks = np.unique(np.rint(np.linspace(0, rows - 1, min(rows, 7))).astype(int))
        axes.set_yticks(ticks, [f"{np.asarray(timescales)[k]:.3g}" for k in ticks])
        axes.set_ylabel("units, by timescale τ (steps)")
    bar = axes.figure.colorbar(image, ax=axes, extend="min", pad=0.02)
    bar.set_label(f"log₁₀ {quantity}", color=INK, size=9)
    bar.ax.tick_params(labelsize=8, labelcolor=SOFT)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return axes.figure


def roads(norms: Roads, *, axes: Any = None) -> Figure:
    """What reaches a past state in all, along the cell alone, and through the hidden state alone.

    A straight line is an exponential. The two roads do not add up to the whole.

    Args:
        norms: `Roads` of the norms by lag, each (T + 1,).
    """
    axes = _begin(axes, "Which road does the gradient take?", LAG, "‖∂L/∂s‖")
    names = ("all roads", "along the cell alone (h detached)", "through h alone (c detached)")
    styles = (("-", INK), ("--", COLOURS[0]), ("-.", COLOURS[1]))
    for name, (style, colour), curve in zip(names, styles, norms, strict=True):
        axes.plot(np.arange(len(curve)), _positive(curve), style, color=colour, lw=1.8, label=name)
    axes.set_yscale("log")
    return _end(axes, loc="lower left")


def gradient_decay(
    curves: Mapping[str, tuple[Any, Any, Any]], *, title: str = "", axes: Any = None
) -> Figure:
    """Several cells' ‖∂s_T/∂s_{T-lag}‖, each beside the bound that its step norms give.

    Args:
        curves: name -> `(lags, log_norm, log_bound)`, each (L,), natural logarithms; the bound
            may be None.
        title: above the picture.
    """
    axes = _begin(
        axes, title or "Gradients through time", "lag (steps)", "log₁₀ ‖∂s(T)/∂s(T − lag)‖"
    )
    axes.axhline(0, color=FAINT, lw=0.8)
    bounded = False
    for order, (name, (lags, log_norm, log_bound)) in enumerate(curves.items()):
        colour = COLOURS[order % len(COLOURS)]
        axes.plot(lags, _decades(log_norm), color=colour, lw=2, label=name)
        if log_bound is not None:
            bounded = True
            axes.plot(lags, _decades(log_bound), color=colour, lw=1, ls="--")
    if bounded:
        axes.plot([], [], color=SOFT, lw=1, ls="--", label="upper bound: product of step norms")
    return _end(axes)


# --- Jacobians -----------------------------------------------------------------------------------


def step_norms(norms: StepNorms, *, first: int = 1, axes: Any = None) -> Figure:
    """The norms of each step's Jacobian over time.

    Args:
        norms: as `lstm_jax.diagnostics.step_norms` gives them.
        first: the number of the first step.
    """
    axes = _begin(axes, "Norms of single steps", "step", "norm of J = ∂s(t)/∂s(t − 1)")
    steps = first + np.arange(len(norms.log_spectral))
    lines = (
        ("Frobenius ‖J‖, all directions", "--", COLOURS[0], norms.log_frobenius),
        ("spectral ‖J‖, the steepest direction", "-", INK, norms.log_spectral),
    )
    for name, style, colour, logs in lines:
        axes.plot(steps, np.exp(np.asarray(logs, np.float64)), style, color=colour, label=name)
    axes.axhline(1, color=SOFT, lw=0.8, ls=":", label="1: below it, nothing can grow")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 1000 * low:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    return _end(axes)


def product_spectrum(spectrum: ProductSpectrum, *, axes: Any = None) -> Figure:
    """The largest singular values of ∂s_T/∂s_{T-lag} against the lag."""
    axes = _begin(axes, "Singular values of the product", LAG, "log₁₀ σ of ∂s(T)/∂s(T − lag)")
    values = _decades(spectrum.log_singular_values)
    count = values.shape[1]
    shades = colour_map("gate", "light")[np.linspace(255, 110, count).astype(int)] / 255
    for index in reversed(range(count)):
        label = f"$\\sigma_{{{index + 1}}}$" if index in (0, count - 1) else None
        style = {"color": shades[index], "lw": 2 if index == 0 else 1, "ms": 3, "label": label}
        axes.plot(spectrum.lags, values[:, index], marker="o", **style)
    axes.axhline(0, color=SOFT, lw=0.8, ls=":", label="neither growth nor decay")
    _log_lags(axes, int(np.max(spectrum.lags)))
    return _end(axes, reverse=True)


def product_bound(spectrum: ProductSpectrum, log_bound: Any, *, axes: Any = None) -> Figure:
    """The spectral norm of ∂s_T/∂s_{T-lag} beside the bound that the step norms give.

    Args:
        spectrum: the truth.
        log_bound: as `lstm_jax.diagnostics.log_bound` gives it, (T + 1,), by lag.
    """
    axes = _begin(axes, "The truth and the bound", LAG, "log₁₀ of the norm")
    bound = _decades(log_bound)
    name = "upper bound: product of step norms"
    axes.plot(np.arange(len(bound)), bound, "--", color=BOUND, label=name)
    norm = _decades(spectrum.log_spectral_norm)
    axes.plot(
        spectrum.lags, norm, color=INK, marker="o", ms=3, lw=2, label="truth: norm of the product"
    )
    axes.axhline(0, color=SOFT, lw=0.8, ls=":")
    return _end(axes)


# --- dynamics ------------------------------------------------------------------------------------


def lyapunov_exponents(exponents: Any, *, axes: Any = None) -> Figure:
    """Finite-time Lyapunov exponents: mean and standard deviation over trajectories.

    Args:
        exponents: in nats a step, (k,) or (N, k) of N trajectories, each of which is a point.
    """
    values = np.atleast_2d(np.asarray(exponents, np.float64))
    axes = _begin(axes, "Lyapunov spectrum", "index", "exponent λ (nats per step)")
    index = np.arange(1, values.shape[1] + 1)
    if len(values) > 1:
        axes.plot(
            index,
            values.T,
            ".",
            color=COLOURS[3],
            ms=4,
            label=_once(len(values), "each trajectory"),
        )
        style = {"fmt": "o", "ms": 4, "capsize": 3, "lw": 1.2}
        label = f"mean ± standard deviation, {len(values)} trajectories"
        axes.errorbar(index, values.mean(0), values.std(0), color=INK, label=label, **style)
    else:
        axes.plot(index, values[0], "o", color=INK, ms=4, label="one trajectory")
    axes.axhline(0, color=SOFT, lw=0.8, ls=":", label="0: chaos above, contraction below")
    axes.set_xlim(0.5, len(index) + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return _end(axes)


def lyapunov_convergence(
    spectrum: LyapunovSpectrum, *, spread: Any = None, axes: Any = None
) -> Figure:
    """The estimates of the exponents against the steps that they have seen.

    Where a curve still moves, the trajectory is too short for it.

    Args:
        spectrum: of one trajectory, or of a batch, of which the mean is drawn.
        spread: standard deviations, as the curve (R, k); of a batch, they are its own. That of the
            first column is drawn.
    """
    mean, times = np.asarray(spectrum.curve, np.float64), np.asarray(spectrum.times)
    if mean.ndim == 3:
        mean, spread, times = mean.mean(0), mean.std(0), times[0]
    axes = _begin(axes, "Convergence", "steps counted", "estimate of λ (nats per step)")
    shades = colour_map("gate", "light")[np.linspace(255, 110, mean.shape[1]).astype(int)] / 255
    for column in reversed(range(mean.shape[1])):
        named = column in (0, mean.shape[1] - 1)
        label = f"column {column + 1} of the QR" if named else None
        width = 2 if column == 0 else 1
        axes.plot(times, mean[:, column], color=shades[column], lw=width, label=label)
    if spread is not None:
        low, high = (mean[:, 0] + sign * np.asarray(spread)[:, 0] for sign in (-1, 1))
        axes.fill_between(times, low, high, color=shades[0], alpha=0.15, lw=0)
    axes.axhline(0, color=SOFT, lw=0.8, ls=":")
    return _end(axes, reverse=True)


def fixed_points(points: FixedPoints, *, slow: float = 1e-4, axes: Any = None) -> Figure:
    """The eigenvalues of ∂F/∂s at fixed and slow points, and the unit circle.

    Args:
        points: as `lstm_jax.diagnostics.fixed_points` gives them.
        slow: points whose speed is larger are drawn faint: they are not yet points of rest.
    """
    axes = _begin(axes, "Eigenvalues at the points of rest", "real part", "imaginary part")
    axes.add_patch(Circle((0, 0), 1, fill=False, color=SOFT, lw=1))
    values, speeds = np.asarray(points.eigenvalues), np.asarray(points.speeds)
    stable = np.asarray(points.stable)
    kinds = (
        ("stable", stable & (speeds <= slow), "o", COLOURS[0], 0.8),
        ("unstable", ~stable & (speeds <= slow), "^", COLOURS[1], 0.8),
        (f"faster than {slow:g}: not at rest", speeds > slow, "x", SOFT, 0.4),
    )
    for name, chosen, marker, colour, alpha in kinds:
        if chosen.any():
            some = values[chosen].ravel()
            label = f"{name} ({chosen.sum()})"
            style = {"ls": "none", "ms": 4, "color": colour, "alpha": alpha, "label": label}
            axes.plot(np.real(some), np.imag(some), marker=marker, **style)
    reach = 1.08 * max(1.0, float(np.abs(values).max()))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return _end(axes)


# --- gates ---------------------------------------------------------------------------------------


def gate_histograms(
    histograms: Mapping[str, GateHistogram], *, title: str = "Activations", axes: Any = None
) -> Figure:
    """Where activations lie, one outline for each name.

    Args:
        histograms: name -> as `lstm_jax.diagnostics.histogram` gives it, of bins of one width.
        title: such as the gate's name.
    """
    edges = np.asarray(next(iter(histograms.values())).edges)
    width = edges[1] - edges[0]
    axes = _begin(axes, title, "activation", f"% of activations (bins of {width:.2g})")
    for order, (name, histogram) in enumerate(histograms.items()):
        style = {"color": COLOURS[order % len(COLOURS)], "lw": 1.5, "label": name}
        dashes = ("-", "--", "-.", ":")[order % 4]
        axes.stairs(100 * np.asarray(histogram.share), histogram.edges, ls=dashes, **style)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xticks(np.linspace(edges[0], edges[-1], 5))
    axes.set_ylim(bottom=0)
    return _end(axes)


def saturation(
    saturations: Mapping[str, Saturation], *, title: str = "Saturation", axes: Any = None
) -> Figure:
    """Each unit by how often its gate is nearly closed and nearly open (Karpathy et al. 2015).

    Units on the diagonal are always one or the other; near the origin they never are.

    Args:
        saturations: name -> as `lstm_jax.diagnostics.saturation` gives it.
        title: such as the gate's name.
    """
    axes = _begin(axes, title, "share of steps below 0.1", "share of steps above 0.9")
    axes.plot([0, 1], [1, 0], color=FAINT, lw=0.8)
    for order, (name, units) in enumerate(saturations.items()):
        style = {"marker": "o^s"[order % 3], "color": COLOURS[order % len(COLOURS)], "label": name}
        axes.scatter(units.left, units.right, s=10, alpha=0.45, linewidths=0, **style)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    return _end(axes, loc="upper right")


def timescales(taus: Mapping[str, Any], *, axes: Any = None) -> Figure:
    """How the units' timescales τ = -1 / mean ln f are spread.

    Args:
        taus: name -> (H,), in steps; infinite ones are counted in the legend.
    """
    axes = _begin(axes, "Timescales of the units", "τ (steps)", "units")
    arrays = {name: np.asarray(tau, np.float64) for name, tau in taus.items()}
    known = np.concatenate([tau[np.isfinite(tau) & (tau > 0)] for tau in arrays.values()])
    low, high = (known.min(), known.max()) if known.size else (1.0, 10.0)
    bins = np.geomspace(low * 0.95, high * 1.05, 33)
    for order, (name, tau) in enumerate(arrays.items()):
        endless = int(np.isinf(tau).sum())
        label = f"{name}, median {np.median(tau):.3g}" + (f", {endless} endless" if endless else "")
        counts, _ = np.histogram(tau[np.isfinite(tau)], bins)
        style = {"color": COLOURS[order % len(COLOURS)], "lw": 1.5, "label": label}
        axes.stairs(counts, bins, ls=("-", "--", "-.", ":")[order % 4], **style)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    return _end(axes)


# --- memory --------------------------------------------------------------------------------------


def context_loss(
    contexts: Any,
    losses: Any,
    *,
    whole: float | None = None,
    memory: int | None = None,
    marks: Mapping[str, int | None] | None = None,
    axes: Any = None,
) -> Figure:
    """The mean loss against how many steps were read before each prediction.

    Args:
        contexts: steps read, (L,).
        losses: mean loss at each, (L,), in nats.
        whole: the loss of the same predictions after reading everything.
        memory: the context from which on more does not help.
        marks: name -> a lag to mark, such as those of `influence_lag`; None is not drawn.
    """
    axes = _begin(axes, "Loss against context", "context (steps read)", "loss (nats per step)")
    axes.plot(contexts, losses, color=INK, marker="o", ms=4, lw=1.8, label="mean loss")
    if whole is not None:
        axes.axhline(whole, color=COLOURS[0], lw=1, ls="--", label="everything read")
    if memory is not None:
        loss = np.asarray(losses)[np.asarray(contexts) == memory]
        label = f"memory length {memory}"
        axes.plot(
            [memory] * len(loss), loss, "o", ms=11, mfc="none", mec=COLOURS[1], mew=1.8, label=label
        )
    for order, (name, lag) in enumerate((marks or {}).items()):
        if lag:
            label = f"influence below {name}: lag {lag}"
            axes.axvline(lag, color=SOFT, lw=1, ls=(":", "-.")[order % 2], label=label)
    _log_lags(axes, int(np.max(contexts)))
    return _end(axes, loc="upper right")


def context_gap(
    contexts: Any, gap: Any, *, errors: Any = None, tolerance: float | None = None, axes: Any = None
) -> Figure:
    """What a bounded context costs: the loss above that of the same predictions with more read.

    Args:
        contexts: steps read, (L,).
        gap: mean difference of the losses, (L,), in nats; what is not above 0 is left out.
        errors: standard errors of the mean difference, (L,).
        tolerance: a difference that counts as none.
    """
    axes = _begin(axes, "What a bounded context costs", "context (steps read)", "loss above (nats)")
    style = {"color": INK, "marker": "o", "ms": 4, "lw": 1.8, "capsize": 3}
    label = "above everything read" + ("" if errors is None else " ± standard error")
    axes.errorbar(contexts, _positive(gap), errors, label=label, **style)
    if tolerance is not None:
        label = f"{tolerance:g} nats: counts as none"
        axes.axhline(tolerance, color=SOFT, lw=0.8, ls=":", label=label)
    axes.set_yscale("log", nonpositive="clip")
    _log_lags(axes, int(np.max(contexts)))
    return _end(axes, loc="lower left")


# --- what they share -----------------------------------------------------------------------------


def _begin(axes: Any, title: str, x: str, y: str) -> Axes:
    if axes is None:
        axes = new_figure().axes[0]
    axes.set_title(title, loc="left", size=10, weight="bold", color=INK)
    axes.set_xlabel(x, size=9, color=INK)
    axes.set_ylabel(y, size=9, color=INK)
    axes.tick_params(labelsize=8, labelcolor=SOFT, color=FAINT, which="both")
    axes.grid(color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)
    return axes


def _end(axes: Axes, *, loc: Any = "best", reverse: bool = False) -> Any:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(
            loc=loc, fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", reverse=reverse
        )
    return axes.figure


def _log_lags(axes: Axes, longest: int) -> None:
    """Lags from 1 on, by powers of two: 1, 2, 4, ..."""
    axes.set_xscale("log", base=2)
    powers = 2 ** np.arange(int(np.log2(max(longest, 1))) + 1)
    axes.xaxis.set_major_locator(FixedLocator(powers.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(0.93, longest * 1.08)


def _positive(values: Any) -> np.ndarray:
    """Where there is nothing, a gap: a logarithm of zero has no place on the axis."""
    values = np.asarray(values, np.float64)
    return np.where(values > 0, values, np.nan)


def _decades(logs: Any) -> np.ndarray:
    return np.asarray(logs, np.float64) * NATS_TO_DECADES


def _once(count: int, label: str) -> Sequence[str | None]:
    """A label for the first of several lines."""
    return [label, *[None] * (count - 1)]
