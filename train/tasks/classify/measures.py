"""Measures of a classifier and of simple baselines, as figures and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.train.scope import Told, drawing
from lstm_jax.train.tasks.classify.calibration import calibration_error, tempered

MODEL = "LSTM"
MOST_COLUMNS = 12  # classes in a table of the confusion matrix
MOST_MIXED = 10  # pairs of classes that are listed instead
LONGEST_NAME = 24


def measure(logs: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Compute the measures of predictions.

    Args:
        logs: ln p of every class, (N, C).
        truth: the true classes, (N,).

    Returns:
        `wrong`, `accuracy`, `macro_f1`, `nats` and `calibration_error`.
    """
    wrong = int((logs.argmax(-1) != truth).sum())
    chosen = logs[np.arange(len(truth)), truth].astype(np.float64)
    return {
        "wrong": wrong,
        "accuracy": 1 - wrong / len(truth),
        "macro_f1": macro_f1(confusion(logs, truth)),
        "nats": float(-chosen.mean()),
        "calibration_error": calibration_error(logs, truth),
    }


def confusion(logs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count the confusion matrix (C, C), with a row per true class and a column per prediction."""
    counts = np.zeros((logs.shape[1],) * 2, int)
    np.add.at(counts, (truth, logs.argmax(-1)), 1)
    return counts


def macro_f1(counts: np.ndarray) -> float:
    """Compute the mean F1 of the classes that are true or predicted, from a confusion matrix."""
    right, total = np.diag(counts), counts.sum(0) + counts.sum(1)
    present = total > 0
    return float((2 * right[present] / total[present]).mean())


def report(
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
    """Report the measures of a model and of baselines.

    Args:
        logs: ln p of every class by the model, (N, C), without its temperature.
        truth: the true classes, (N,).
        classes: names of the C classes.
        baselines: name of a baseline -> its ln p, (N, C).
        what: name of the data, for a person.
        unit: name of an example, in the plural.
        temperature: temperature of the model, if it has one.
        picture: path of a picture of reliability and confusion; None for no picture.

    Returns:
        Figures, and a table with a verdict.

    Raises:
        ModelError: if matplotlib is not installed, but a picture is requested.
    """
    calibrated = tempered(logs, temperature or 1.0)
    scores = measure(calibrated, truth)
    baseline_scores = {name: measure(prediction, truth) for name, prediction in baselines.items()}
    counts = confusion(calibrated, truth)
    figures: dict[str, object] = {"on": what, unit: len(truth), **scores}
    if temperature is not None:
        before = calibration_error(logs, truth)
        figures |= {"temperature": temperature, "calibration_error_before": before}
    figures |= {"baselines": baseline_scores}
    figures |= {"classes": list(classes), "confusion": counts.tolist()}
    lines = [
        f"{what}: accuracy {scores['accuracy']:.2%} "
        f"({scores['wrong']:,} of {len(truth):,} {unit} wrong)",
        "",
        table({MODEL: scores, **baseline_scores}),
        "",
    ]
    if temperature is not None:
        lines.append(
            f"calibrated by temperature {temperature:.2f}, fitted to the validation part: "
            f"calibration error {figures['calibration_error_before']:.1%} before, "
            f"{scores['calibration_error']:.1%} after"
        )
    lines += [verdict(scores, baseline_scores), "", confused(counts, classes)]
    if picture is not None:
        with drawing(picture):
            from lstm_jax.train.tasks.classify.picture import draw

            draw(logs, calibrated, truth, counts, classes, picture)
        lines.append(f"\nsaved picture to {picture}")
    return figures, "\n".join(lines)


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Format measures as a table, with one line per model."""
    width = max(map(len, rows))
    lines = [f"{'':{width}}  accuracy  macro F1  nats   calibration error"]
    lines += [
        f"{name:{width}}  {row['accuracy']:8.2%}  {row['macro_f1']:8.3f}  {row['nats']:5.3f}  "
        f"{row['calibration_error']:17.1%}"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def verdict(scores: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
    """Report whether a model is more accurate than each of the baselines."""
    better = [name for name, row in baselines.items() if row["accuracy"] > scores["accuracy"]]
    ties = [name for name, row in baselines.items() if row["accuracy"] == scores["accuracy"]]
    if better:
        return f"the {MODEL} is less accurate than {' and '.join(better)}"
    if ties:
        return f"the {MODEL} is only as accurate as {' and '.join(ties)}"
    return f"the {MODEL} is more accurate than {' and '.join(baselines)}" if baselines else ""


def confused(counts: np.ndarray, classes: Sequence[str]) -> str:
    """Format a confusion matrix: whole for few classes, the most frequent errors for many."""
    names = [_short(name) for name in classes]
    width = max(len("true"), *map(len, names))
    if len(classes) > MOST_COLUMNS:
        wrong = counts - np.diag(np.diag(counts))
        order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MIXED].tolist()
        pairs = [divmod(place, len(classes)) for place in order if wrong.flat[place]]
        lines = [f"{wrong[r, c]:6,}  {names[r]:>{width}} taken for {names[c]}" for r, c in pairs]
        return "\n".join(["most frequent confusions:", *lines]) if lines else ""
    widths = [max(len(name), len(f"{counts[:, i].max():,}")) for i, name in enumerate(names)]
    head = "  ".join(f"{name:>{w}}" for name, w in zip(names, widths, strict=True))
    lines = [f"{'true':>{width}}  {'predicted':<{len(head)}}".rstrip(), f"{'':{width}}  {head}"]
    for name, row in zip(names, counts, strict=True):
        cells = "  ".join(f"{int(count):>{w},}" for count, w in zip(row, widths, strict=True))
        lines.append(f"{name:>{width}}  {cells}")
    return "\n".join(lines)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."
