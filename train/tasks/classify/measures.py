"""What a classifier is worth, in figures and in a table, beside what costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.models.storage import ModelError
from lstm_jax.train.scope import Told
from lstm_jax.train.tasks.classify.calibration import calibration_error, tempered

MODEL = "LSTM"
MOST_COLUMNS = 12  # classes, in a table of what was taken for what
MOST_MIXED = 10
LONGEST_NAME = 24


def measure(logs: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Measure judgements.

    Args:
        logs: ln p of every class, (N, C).
        truth: the classes, (N,).

    Returns:
        `wrong`, `accuracy`, `macro_f1`, `nats` and `calibration_error`.
    """
    wrong = int((logs.argmax(-1) != truth).sum())
    said = logs[np.arange(len(truth)), truth].astype(np.float64)
    return {
        "wrong": wrong,
        "accuracy": 1 - wrong / len(truth),
        "macro_f1": macro_f1(confusion(logs, truth)),
        "nats": float(-said.mean()),
        "calibration_error": calibration_error(logs, truth),
    }


def confusion(logs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count (C, C) what was taken for what: a row for each true class, a column for each answer."""
    counts = np.zeros((logs.shape[1],) * 2, int)
    np.add.at(counts, (truth, logs.argmax(-1)), 1)
    return counts


def macro_f1(counts: np.ndarray) -> float:
    """Give the mean F1 of the classes that are there or were answered, from a confusion."""
    right, total = np.diag(counts), counts.sum(0) + counts.sum(1)
    there = total > 0
    return float((2 * right[there] / total[there]).mean())


def told(
    logs: np.ndarray,
    truth: np.ndarray,
    classes: Sequence[str],
    baselines: Mapping[str, np.ndarray],
    *,
    what: str,
    unit: str,
    temperature: float | None = None,
    picture: Path | None = None,
) -> Told:
    """Tell what a model is worth on some sequences.

    Args:
        logs: ln p of every class as the model says it, (N, C), no temperature applied.
        truth: the classes, (N,).
        classes: their names, C.
        baselines: name -> ln p of it, (N, C).
        what: the sequences are, for a person.
        unit: what one of them is, in the plural.
        temperature: of the model, where it has one.
        picture: where to draw reliability and confusion; nowhere if None.

    Returns:
        Figures, and a table with a verdict.

    Raises:
        ModelError: no matplotlib to draw with.
    """
    used = tempered(logs, temperature or 1.0)
    own = measure(used, truth)
    others = {name: measure(found, truth) for name, found in baselines.items()}
    counts = confusion(used, truth)
    figures: dict[str, object] = {"on": what, unit: len(truth), **own}
    if temperature is not None:
        before = calibration_error(logs, truth)
        figures |= {"temperature": temperature, "calibration_error_before": before}
    figures |= {"baselines": others, "classes": list(classes), "confusion": counts.tolist()}
    lines = [
        f"{what}: accuracy {own['accuracy']:.2%} ({own['wrong']:,} of {len(truth):,} {unit} wrong)",
        "",
        table({MODEL: own, **others}),
        "",
    ]
    if temperature is not None:
        lines.append(
            f"calibrated by temperature {temperature:.2f}, fitted on validation: calibration error "
            f"{figures['calibration_error_before']:.1%} before, {own['calibration_error']:.1%} "
            "after"
        )
    lines += [verdict(own, others), "", confused(counts, classes)]
    if picture is not None:
        try:
            from lstm_jax.train.tasks.classify.picture import draw
        except ImportError as error:
            raise ModelError(str(error)) from None
        draw(logs, used, truth, counts, classes, picture)
        lines.append(f"\nthe picture: {picture}")
    return figures, "\n".join(lines)


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Set the figures of several in a table, a line each."""
    width = max(map(len, rows))
    lines = [f"{'':{width}}  accuracy  macro F1  nats   calibration error"]
    lines += [
        f"{name:{width}}  {row['accuracy']:8.2%}  {row['macro_f1']:8.3f}  {row['nats']:5.3f}  "
        f"{row['calibration_error']:17.1%}"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def verdict(own: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in words whether a model is better than each of the others."""
    loses = [name for name, row in others.items() if row["accuracy"] > own["accuracy"]]
    ties = [name for name, row in others.items() if row["accuracy"] == own["accuracy"]]
    if loses:
        return f"the {MODEL} loses to {' and to '.join(loses)} in accuracy"
    if ties:
        return f"the {MODEL} is no better than {' and than '.join(ties)} in accuracy"
    return f"the {MODEL} beats {' and '.join(others)} in accuracy" if others else ""


def confused(counts: np.ndarray, classes: Sequence[str]) -> str:
    """Say what was taken for what: all of it for a few classes, the most frequent for many."""
    names = [_short(name) for name in classes]
    width = max(len("true"), *map(len, names))
    if len(classes) > MOST_COLUMNS:
        wrong = counts - np.diag(np.diag(counts))
        order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MIXED].tolist()
        pairs = [divmod(place, len(classes)) for place in order if wrong.flat[place]]
        lines = [f"{wrong[r, c]:6,}  {names[r]:>{width}} taken for {names[c]}" for r, c in pairs]
        return "\n".join(["taken for one another most often:", *lines]) if lines else ""
    widths = [max(len(name), len(f"{counts[:, i].max():,}")) for i, name in enumerate(names)]
    head = "  ".join(f"{name:>{w}}" for name, w in zip(names, widths, strict=True))
    lines = [f"{'true':>{width}}  {'answered':<{len(head)}}".rstrip(), f"{'':{width}}  {head}"]
    for name, row in zip(names, counts, strict=True):
        cells = "  ".join(f"{int(count):>{w},}" for count, w in zip(row, widths, strict=True))
        lines.append(f"{name:>{width}}  {cells}")
    return "\n".join(lines)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."
