"""The recipes of lstm_jax.configs, each with what a user wants to know before training it.

A recipe's file is read and not imported, so that a list of them is there at once.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class About(NamedTuple):
    """What a recipe says of itself, in its dictionary `about`.

    Attributes:
        what: it trains, in a few words.
        time: that it takes on two cores of a CPU.
        size: of the model, in parameters.
        data: where they come from, and how much is fetched.
        extra: of the package that it needs; "" for none.
    """

    what: str
    time: str
    size: str
    data: str
    extra: str = ""


def recipes() -> dict[str, About]:
    """Read what each recipe says of itself, by name.

    Raises:
        OSError: the package's own files cannot be read.
    """
    folders = importlib.import_module("lstm_jax.configs").__path__
    paths = [path for folder in folders for path in sorted(Path(folder).glob("[a-z]*.py"))]
    return {path.stem: _about(path) for path in paths}


def table(rows: dict[str, About]) -> str:
    """Set the recipes out in columns, a line each."""
    heads = About("what it trains", "on 2 cores", "parameters", "data", "extra")
    lines = [("recipe", *heads), *((name, *about) for name, about in rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  " + "  ".join(padded).rstrip()


def _about(path: Path) -> About:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "about":
            return About(**ast.literal_eval(node.value))
    raise ValueError(f"{path} has no dictionary `about`, which says what the recipe trains")
