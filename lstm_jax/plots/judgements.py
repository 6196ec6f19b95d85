"""Pictures of classifiers' predictions: step by step, by class, and how reliable they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.plots.drawing import COLORS, FAINT, INK, SOFT, begin, end


def word_by_word(
    words: Sequence[str],
    probabilities: ArrayLike,
    *,
    labels: tuple[str, str] = ("negative", "positive"),
    axes: Axes | None = None,
) -> Figure:
    """Draw how the prediction for a sentence changes from word to word.

    Args:
        words: of the sentence, T.
        probabilities: of the second label after each word, (T,).
        labels: names for probabilities below and above one half.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    ps = np.asarray(probabilities, np.float64)
    axes = begin(axes, "Prediction word by word", "words read", f"probability of {labels[1]}")
    places = np.arange(len(words))
    for side, color, label in (
        (ps >= 0.5, COLORS[0], labels[1]),
        (ps < 0.5, COLORS[1], labels[0]),
    ):
        axes.bar(places[side], ps[side] - 0.5, bottom=0.5, color=color, width=0.7, label=label)
    axes.plot(places, ps, color=INK, lw=1, marker="o", ms=3)
    axes.axhline(0.5, color=FAINT, lw=1)
    axes.set_ylim(0, 1)
    axes.set_xticks(places, words, rotation=40, ha="right", rotation_mode="anchor")
    axes.grid(visible=False, axis="x")
    return end(axes, loc="upper left")


def frame_by_frame(
    features: ArrayLike,
    probabilities: ArrayLike,
    *,
    classes: Sequence[str],
    seconds: float,
    frequencies: ArrayLike | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Draw the features of a sound, and on top of them the predictions so far.

    Args:
        features: (T, D), low bands first.
        probabilities: of each class after each step, (T, C).
        classes: names, C; the three with the highest probability at any step get a line.
        seconds: between steps.
        frequencies: center of each band in Hz, (D,), for a second axis on the right.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    ps = np.asarray(probabilities, np.float64)
    features = np.asarray(features)
    axes = begin(axes, "Prediction so far", "time (s)", "probability")
    ends = (0, len(features) * seconds)
    axes.imshow(
        features.T, origin="lower", aspect="auto", extent=(*ends, 0, 1), cmap="Greys", alpha=0.55
    )
    axes.grid(visible=False)
    times = (np.arange(len(ps)) + 0.5) * seconds
    for color, index in zip(COLORS, np.argsort(-ps.max(0), kind="stable")[:3], strict=False):
        axes.plot(times, ps[:, index], color=color, lw=2.2, label=classes[index])
    axes.set_xlim(*ends)
    axes.set_ylim(0, 1)
    if frequencies is not None:
        _add_frequencies(axes, np.asarray(frequencies, np.float64))
    return end(axes, loc="center right")


def _add_frequencies(axes: Axes, frequencies: np.ndarray) -> None:
    """Add a frequency axis on the right, with ticks at round numbers."""
    right = axes.secondary_yaxis("right")
    ticks = np.array([100, 200, 500, 1_000, 2_000, 4_000, 8_000])
    inside = ticks[(ticks >= frequencies[0]) & (ticks <= frequencies[-1])]
    bands = (np.arange(len(frequencies)) + 0.5) / len(frequencies)
    right.set_yticks(np.interp(inside, frequencies, bands), [f"{tick:,}" for tick in inside])
    right.set_ylabel("frequency (Hz)", size=9, color=INK)
    right.tick_params(labelsize=8, labelcolor=SOFT, color=FAINT)
    right.spines["right"].set_color(FAINT)


def confusion(
    counts: ArrayLike,
    *,
    classes: Sequence[str],
    title: str = "Confusion matrix",
    labels: tuple[str, str] = ("predicted", "true"),
    axes: Axes | None = None,
) -> Figure:
    """Draw a confusion matrix.

    Args:
        counts: (C, C), with a row for each true class and a column for each predicted class.
        classes: names, C.
        title: of the picture.
        labels: of the columns, and of the rows.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    counts = np.asarray(counts)
    axes = begin(axes, title, *labels)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.4)
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = INK if row == column else COLORS[4]
        axes.text(
            column, row, f"{counts[row, column]:,}", ha="center", va="center", size=8, color=color
        )
    places = np.arange(len(classes))
    axes.set_xticks(places, classes)
    axes.set_yticks(places, classes)
    axes.tick_params(length=0, labelcolor=SOFT)
    axes.grid(visible=False)
    return end(axes)


def reliability(
    curves: Mapping[str, Sequence[tuple[float, float, float]]], *, axes: Axes | None = None
) -> Figure:
    """Draw accuracy by confidence; a well-calibrated model is on the diagonal.

    Args:
        curves: name -> `(count, confidence, accuracy)` of each bin of predictions, in order.
        axes: axes to draw into; by default those of a new figure.

    Returns:
        The figure.
    """
    axes = begin(axes, "Reliability", "predicted probability", "share of correct predictions")
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1)
    for color, (name, bins) in zip(COLORS[1::-1], curves.items(), strict=False):
        columns = (np.array(column, np.float64) for column in zip(*bins, strict=True))
        counts, confidence, accuracy = columns
        axes.plot(confidence, accuracy, color=color, lw=1.6, label=name)
        sizes = 12 + 150 * counts / counts.sum()
        axes.scatter(confidence, accuracy, s=sizes, color=color, alpha=0.7)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    return end(axes, loc="upper left")
