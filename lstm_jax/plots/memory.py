"""Pictures of the loss by context length, which show how long a model remembers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.plots.drawing import COLORS, INK, SOFT, begin, end, log_lags, positive


def context_loss(
    contexts: ArrayLike,
    losses: ArrayLike,
    *,
    whole: float | None = None,
    memory: int | None = None,
    marks: Mapping[str, int | None] | None = None,
    unit: str = "nats per step",
    axes: Axes | None = None,
) -> Figure:
    """Draw the mean loss by the number of steps read before each prediction.

    Args:
        contexts: numbers of steps read, (L,).
        losses: mean loss for each context, (L,).
        whole: the loss of the same predictions after reading everything.
        memory: the context beyond which more does not help.
        marks: name -> a lag to mark, such as those from `influence_lag`; None is not drawn.
        unit: of the losses.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Loss by context", "context (steps read)", f"loss ({unit})")
    axes.plot(contexts, losses, color=INK, marker="o", ms=4, lw=1.8, label="mean loss")
    if whole is not None:
        axes.axhline(whole, color=COLORS[0], lw=1, ls="--", label="everything read")
    if memory is not None:
        loss = np.asarray(losses)[np.asarray(contexts) == memory]
        label = f"memory length {memory}"
        axes.plot(
            [memory] * len(loss), loss, "o", ms=11, mfc="none", mec=COLORS[1], mew=1.8, label=label
        )
    for order, (name, lag) in enumerate((marks or {}).items()):
        if lag:
            label = f"influence below {name.replace(' %', '%')}: lag {lag}"
            axes.axvline(lag, color=SOFT, lw=1, ls=(":", "-.")[order % 2], label=label)
    log_lags(axes, int(np.max(contexts)))
    return end(axes, loc="upper right")


def context_gap(
    contexts: ArrayLike,
    gap: ArrayLike,
    *,
    errors: ArrayLike | None = None,
    tolerance: float | None = None,
    unit: str = "nats",
    axes: Axes | None = None,
) -> Figure:
    """Draw the cost of a limited context: how much higher the loss is than after everything.

    Args:
        contexts: numbers of steps read, (L,).
        gap: mean difference of the losses, (L,); values that are not above 0 are left out.
        errors: standard errors of the mean difference, (L,).
        tolerance: a difference that counts as zero.
        unit: of the differences.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    title, y = "Cost of a limited context", f"additional loss ({unit})"
    axes = begin(axes, title, "context (steps read)", y)
    style = {"color": INK, "marker": "o", "ms": 4, "lw": 1.8, "capsize": 3}
    label = "above the loss after everything" + ("" if errors is None else " ± standard error")
    axes.errorbar(contexts, positive(gap), errors, label=label, **style)
    if tolerance is not None:
        label = f"{tolerance:.3g} {unit}: counts as zero"
        axes.axhline(tolerance, color=SOFT, lw=0.8, ls=":", label=label)
    axes.set_yscale("log", nonpositive="clip")
    log_lags(axes, int(np.max(contexts)))
    return end(axes, loc="lower left")
