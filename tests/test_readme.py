"""The README's Python runs as it stands, block after block."""

import ast
import contextlib
import io
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


SHAPE = re.compile(r"(\w+) (\(\d+(?:, \d+)*,?\))")
VALUE = re.compile(r"""["'{\[]|-?\d""")


def shown(value):
    """A value as the README writes it: two decimals."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {shown(each)}' for key, each in value.items()) + "}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def run(block, namespace):
    """Run a block, and give what its comments say that is not so, and how many could be wrong.

    A comment that begins with a value is of what the line gives or prints, as far as "..."; a name
    with a shape behind it, as in "hs (100, 4, 32)", is of that name.
    """
    lines, wrong, compared = block.splitlines(), [], 0
    for statement in ast.parse(block).body:
        code, comment = ast.unparse(statement), lines[statement.end_lineno - 1].partition("  # ")[2]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if isinstance(statement, ast.Expr):
                value = eval(compile(code, README.name, "eval"), namespace)
            else:
                value = exec(compile(code, README.name, "exec"), namespace)
        if isinstance(statement, ast.Expr) and VALUE.match(comment):
            given = printed.getvalue() or shown(value)
            expected = re.split(r"(?<=\S)[,;]? \.\.\.|(?<=\")[,;] ", comment)[0]
            compared += 1
            wrong += [] if expected in given else [f"{code}: {comment}, and it is {given[:60]}"]
        for name, shape in SHAPE.findall(comment):
            compared += 1
            found = np.shape(namespace[name])
            wrong += [] if found == ast.literal_eval(shape) else [f"{comment}, and it is {found}"]
    return wrong, compared


def test_a_wrong_comment_is_seen():
    namespace = {"np": np}
    block = """
a = np.zeros((2, 3))  # a (2, 4)
a.shape  # the shape
{"x": 0.704, "y": 0.01}  # {"x": 0.99, ...}
{"x": 0.704, "y": 0.01}  # {"x": 0.70, ...}; as it is
print("implementation=fused")  # "scan", and why
"""
    wrong, compared = run(block, namespace)
    assert compared == 4
    assert [line.split(":")[0].split(",")[0] for line in wrong] == [
        "a (2",
        "{'x'",
        "print('implementation=fused')",
    ]


def test_python_blocks_run_and_their_comments_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(series, "config", replace(series.config, epochs=1))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    namespace, compared = {"frame": sales()}, 0
    for block in blocks:
        wrong, some = run(block, namespace)
        assert wrong == []
        compared += some
    assert compared >= 4
    # Read by weights that went to Keras and back.
    np.testing.assert_array_equal(namespace["mine"](namespace["batch"])[1], namespace["hs"])
    coming = namespace["run"].forecast(steps=24)
    assert isinstance(coming, pd.DataFrame)
    assert coming.groupby("store").size().to_dict() == {"Bonn": 24, "Köln": 24}


def test_the_table_of_speed_is_that_of_the_results():
    script = README.parent / "tests" / "benchmarks" / "readme.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
