"""The pictures of a diagnosis as files."""

from __future__ import annotations

import io

from lstm_jax.plots import default_style
from lstm_jax.plots.drawing import Figure
from lstm_jax.report.question import Answers

DPI = 160
LARGEST_SVG = 300_000  # bytes; pictures with more marks than that are smaller as PNG


def files(answers: Answers) -> dict[str, bytes]:
    """Draw every picture of every answer.

    Args:
        answers: of a diagnosis.

    Returns:
        File name -> contents: PNG for every picture, and SVG for the small ones.
    """
    images = {}
    with default_style():
        for answered in answers:
            for picture in answered.question.pictures:
                if not picture.there(answered.answer):
                    continue
                figure = picture.draw(answered.answer, answers)
                images[f"{picture.name}.png"] = _saved(figure, "png")
                figure.set_layout_engine("none")  # keeps the layout found for the PNG
                vector = _saved(figure, "svg")
                if len(vector) <= LARGEST_SVG:
                    images[f"{picture.name}.svg"] = vector
    return images


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Without the date, equal figures give identical files.
    figure.savefig(buffer, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()
