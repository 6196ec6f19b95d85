"""The README's Python runs as it stands, block after block."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_jax.configs import series

README = Path(__file__).parent.parent / "README.md"


def sales():
    """A frame of a reader's own: two stores, 120 days."""
    days = [str(day) for day in np.arange("2024-01-01", "2024-04-30", dtype="datetime64[D]")]
    units = 50 + 10 * np.sin(np.arange(len(days)) * 2 * np.pi / 7)
    return pd.DataFrame(
        {
            "date": 2 * days,
            "store": ["Bonn"] * len(days) + ["Köln"] * len(days),
            "units": np.concatenate([units, 2 * units + 5]),
        }
    )


def test_python_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(series, "config", replace(series.config, epochs=1))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    namespace = {"frame": sales()}
    for block in blocks:
        exec(compile(block, README.name, "exec"), namespace)
    assert namespace["hs"].shape == (100, 4, 32)  # read by weights that went to Keras and back
    coming = namespace["run"].forecast(steps=24)
    assert isinstance(coming, pd.DataFrame)
    assert coming.groupby("store").size().to_dict() == {"Bonn": 24, "Köln": 24}


def test_the_table_of_speed_is_that_of_the_results():
    script = README.parent / "tests" / "benchmarks" / "readme.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
