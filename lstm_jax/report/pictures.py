"""The pictures of a diagnosis as files."""

from __future__ import annotations

import io

from lstm_jax.plots import default_style
from lstm_jax.plots.drawing import Figure
from lstm_jax.report.question import Answers

DPI = 160
LARGEST_SVG = 300_000  # bytes; where there are many marks, pixels are smaller


def files(answers: Answers) -> dict[str, bytes]:
    """Draw every picture of every answer.

    Args:
        answers: of a diagnosis.

    Returns:
        PNG of every picture, and SVG of those that are small, by file name.
    """
    found = {}
    with default_style():
        for one in answers:
            for picture in one.question.pictures:
                if not picture.there(one.answer):
                    continue
                figure = picture.draw(one.answer, answers)
                found[f"{picture.name}.png"] = _saved(figure, "png")
                figure.set_layout_engine("none")  # it stands
                vector = _saved(figure, "svg")
                if len(vector) <= LARGEST_SVG:
                    found[f"{picture.name}.svg"] = vector
    return found


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Without the date, the same figures give the same file.
    figure.savefig(buffer, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()
