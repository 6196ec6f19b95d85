"""The notebooks run, are paired with their scripts, and show what they print and draw."""

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
SCRIPTS = sorted(FOLDER.glob("*.py"))
LARGEST = 700_000  # bytes: forges show no notebook of many megabytes
NO_PICTURES = ("poems",)
LONG = ("gradients_through_time", "research", "your_data")


def mark(script):
    marks = [pytest.mark.slow] if script.stem in LONG else []
    return pytest.param(script, marks=marks, id=script.stem)


def cells(script):
    return json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]


def outputs(script):
    return [output for cell in cells(script) for output in cell.get("outputs", [])]


@pytest.mark.parametrize("script", [mark(script) for script in SCRIPTS])
def test_notebook_runs_in_its_short_form(script, tmp_path):
    environment = {**os.environ, "LSTM_JAX_SHORT": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_notebook_is_its_script(script):
    expected = [(cell.cell_type, cell.source) for cell in jupytext.read(script).cells]
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in cells(script)]
    assert found == expected, f"run `python notebooks/site/execute.py {script.stem}`"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_notebook_was_run_and_can_be_shown(script):
    code = [cell for cell in cells(script) if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code if "".join(cell["source"]).strip()]
    assert counts == list(range(1, len(counts) + 1))
    kinds = {output["output_type"] for output in outputs(script)}
    assert "error" not in kinds
    assert "stderr" not in {output.get("name") for output in outputs(script)}
    assert script.with_suffix(".ipynb").stat().st_size < LARGEST


@pytest.mark.parametrize(
    "script", [one for one in SCRIPTS if one.stem not in NO_PICTURES], ids=lambda path: path.stem
)
def test_notebook_shows_its_pictures(script):
    image = pytest.importorskip("matplotlib.image")
    pictures = [o["data"]["image/png"] for o in outputs(script) if "image/png" in o.get("data", {})]
    assert pictures
    for picture in pictures:
        pixels = image.imread(io.BytesIO(base64.b64decode(picture)))
        assert min(pixels.shape[:2]) > 200
        assert np.ptp(pixels[..., :3]) > 0.5  # ink on paper
