"""The recipes of lstm_jax.configs, with a description, training time and size for each.

The files of the recipes are parsed and not imported, so that listing them takes no time.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class About(NamedTuple):
    """Describe a recipe, as in its dictionary `about`.

    Attributes:
        what: the model that it trains, in a few words.
        time: of training, on two cores of a CPU.
        size: of the model, in parameters.
        data: the source of the data, and the size of the download.
        extra: the extra of the package that it needs; "" for none.
    """

    what: str
    time: str
    size: str
    data: str
    extra: str = ""


def recipes() -> dict[str, About]:
    """Read the descriptions of all recipes, by name.

    Raises:
        OSError: if the package's own files cannot be read.
    """
    folders = importlib.import_module("lstm_jax.configs").__path__
    paths = [path for folder in folders for path in sorted(Path(folder).glob("[a-z]*.py"))]
    return {path.stem: _about(path) for path in paths}


def table(rows: dict[str, About]) -> str:
    """Format the recipes as a table, with one line for each."""
    header = About("what it trains", "on 2 cores", "parameters", "data", "extra")
    lines = [("recipe", *header), *((name, *about) for name, about in rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  " + "  ".join(padded).rstrip()


def _about(path: Path) -> About:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "about":
            return About(**ast.literal_eval(node.value))
    raise ValueError(f"{path} must have a dictionary `about` that describes the recipe")
