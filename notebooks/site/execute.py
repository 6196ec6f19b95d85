"""Run notebooks from their scripts and keep the outputs: `execute.py quickstart gates`, or all.

Needs the extra `notebooks`. Widgets are dropped, because they need a kernel, and so is what changes
from run to run without being a result.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(script: Path) -> NotebookNode:
    """Run a script as a notebook, in a folder of its own."""
    notebook = jupytext.read(script)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=1200, resources=resources).execute()
    return notebook


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """Drop widgets and times."""
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if is_kept(output)]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def is_kept(output: NotebookNode) -> bool:
    """Return whether an output is neither a widget nor the empty end of a progress bar."""
    data = output.get("data", {"text/plain": "text"})
    return WIDGET not in data and ("image/png" in data or bool(data.get("text/plain")))


def main(names: list[str]) -> None:
    for name in names or sorted(path.stem for path in FOLDER.glob("*.py")):
        start = time.monotonic()
        notebook = cleaned(execute(FOLDER / f"{name}.py"))
        nbformat.write(notebook, FOLDER / f"{name}.ipynb")
        print(f"{name}: {time.monotonic() - start:.0f} seconds")


if __name__ == "__main__":
    main(sys.argv[1:])
