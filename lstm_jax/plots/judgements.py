"""What classifiers say: as they read on, and where they are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_jax.plots.drawing import COLOURS, FAINT, INK, SOFT, begin, end


def word_by_word(
    words: Sequence[str],
    probabilities: ArrayLike,
    *,
    labels: tuple[str, str] = ("negative", "positive"),
    axes: Axes | None = None,
) -> Figure:
    """Draw how a judgement moves as a sentence is read.

    Args:
        words: of the sentence, T.
        probabilities: of the second label after each word, (T,).
        labels: below and above a half.
        axes: to draw there; a new figure has its own.

    Returns:
        The figure.
    """
    ps = np.asarray(probabilities, np.float64)
    axes = begin(axes, "The judgement, word by word", "words read", f"probability of {labels[1]}")
    places = np.arange(len(words))
    for side, colour, label in (
        (ps >= 0.5, COLOURS[0], labels[1]),
        (ps < 0.5, COLOURS[1], labels[0]),
    ):
        axes.bar(places[side], ps[side] - 0.5, bottom=0.5, color=colour, width=0.7, label=label)
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
    """Draw a sound's features, and over them what is heard in it so far.

    Args:
        features: (T, D), low bands first.
        probabilities: of each class after each step, (T, C).
        classes: names, C; the three that are ever most probable get a line.
        seconds: between steps.
        frequencies: of the bands' middles in Hz, (D,), which an axis at the right shows.
        axes: to draw there; a new figure has its own.

    Returns:
        The figure.
    """
    ps = np.asarray(probabilities, np.float64)
    features = np.asarray(features)
    axes = begin(axes, "What is heard so far", "time (s)", "probability")
    ends = (0, len(features) * seconds)
    axes.imshow(
        features.T, origin="lower", aspect="auto", extent=(*ends, 0, 1), cmap="Greys", alpha=0.55
    )
    axes.grid(visible=False)
    times = (np.arange(len(ps)) + 0.5) * seconds
    for colour, index in zip(COLOURS, np.argsort(-ps.max(0), kind="stable")[:3], strict=False):
        axes.plot(times, ps[:, index], color=colour, lw=2.2, label=classes[index])
    axes.set_xlim(*ends)
    axes.set_ylim(0, 1)
    if frequencies is not None:
        _beside(axes, np.asarray(frequencies, np.float64))
    return end(axes, loc="center right")


def _beside(axes: Axes, frequencies: np.ndarray) -> None:
    """Put an axis of frequency at the right, its round numbers where their bands are."""
    right = axes.secondary_yaxis("right")
    rounds = np.array([100, 200, 500, 1_000, 2_000, 4_000, 8_000])
    inside = rounds[(rounds >= frequencies[0]) & (rounds <= frequencies[-1])]
    bands = (np.arange(len(frequencies)) + 0.5) / len(frequencies)
    right.set_yticks(np.interp(inside, frequencies, bands), [f"{one:,}" for one in inside])
    right.set_ylabel("frequency (Hz)", size=9, color=INK)
    right.tick_params(labelsize=8, labelcolor=SOFT, color=FAINT)
    right.spines["right"].set_color(FAINT)


def confusion(
    counts: ArrayLike,
    *,
    classes: Sequence[str],
    title: str = "Said and heard",
    labels: tuple[str, str] = ("heard", "said"),
    axes: Axes | None = None,
) -> Figure:
    """Draw what was said and what was heard.

    Args:
        counts: (C, C), a row for what is true, a column for what was answered.
        classes: names, C.
        title: above it.
        labels: of the columns, and of the rows.
        axes: to draw there; a new figure has its own.

    Returns:
        The figure.
    """
    counts = np.asarray(counts)
    axes = begin(axes, title, *labels)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.4)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = INK if row == column else COLOURS[4]
        axes.text(
            column, row, f"{counts[row, column]:,}", ha="center", va="center", size=8, color=colour
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
    """Draw how often judgements are right against how sure they are; the diagonal is honest.

    Args:
        curves: name -> `(count, confidence, accuracy)` of each bin of judgements, in order.
        axes: to draw there; a new figure has its own.

    Returns:
        The figure.
    """
    axes = begin(axes, "How far it can be relied on", "probability it gives", "share that is right")
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1)
    for colour, (name, bins) in zip(COLOURS[1::-1], curves.items(), strict=False):
        counts, sure, right = (np.array(column, np.float64) for column in zip(*bins, strict=True))
        axes.plot(sure, right, color=colour, lw=1.6, label=name)
        axes.scatter(sure, right, s=12 + 150 * counts / counts.sum(), color=colour, alpha=0.7)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    return end(axes, loc="upper left")
