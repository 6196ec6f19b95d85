"""The Python and the poems of the READMEs and the guides do what is shown beside them."""

import ast
import contextlib
import importlib.util
import io
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_jax import cli
from lstm_jax.configs import series

ROOT = Path(__file__).parent.parent
GUIDES = ["README.md", "README.zh.md", "CONTRIBUTING.md", "notebooks/*.md"]
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for pattern in GUIDES
    for path in sorted(ROOT.glob(pattern))
}
BLOCKS = {
    name: re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for name, text in TEXTS.items()
}


def sales():
    """Make a reader's table: two stores, 120 days."""
    days = [str(day) for day in np.arange("2024-01-01", "2024-04-30", dtype="datetime64[D]")]
    units = 50 + 10 * np.sin(np.arange(len(days)) * 2 * np.pi / 7)
    return pd.DataFrame(
        {
            "date": 2 * days,
            "store": ["Bonn"] * len(days) + ["Köln"] * len(days),
            "units": np.concatenate([units, 2 * units + 5]),
        }
    )


SHAPE = re.compile(r"([\w.]+) (\(\d+(?:, \d+)*,?\))")
VALUE = re.compile(r"""["'{\[]|-?\d""")


def shown(value):
    """Write a value as the documents do: two decimals."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {shown(each)}' for key, each in value.items()) + "}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def comments_below(lines, statement):
    """Return the comment lines right below a statement: the lines that it prints."""
    below = []
    for line in lines[statement.end_lineno :]:
        if not line.startswith("# "):
            break
        below.append(line.removeprefix("# "))
    return below


def run(block, namespace):
    """Run a block; return its comments that do not hold, and the number that were compared.

    A comment behind an expression that begins with a value is compared with what the line returns
    or prints, as far as "..."; a name with a shape, as in "hs (100, 4, 32)", with the shape of that
    name; comment lines right below a statement with the lines that it prints.
    """
    lines, wrong, compared = block.splitlines(), [], 0
    for statement in ast.parse(block).body:
        code, comment = ast.unparse(statement), lines[statement.end_lineno - 1].partition("  # ")[2]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if isinstance(statement, ast.Expr):
                value = eval(compile(code, "document", "eval"), namespace)
            else:
                value = exec(compile(code, "document", "exec"), namespace)
        if isinstance(statement, ast.Expr) and VALUE.match(comment):
            result = printed.getvalue() or shown(value)
            expected = re.split(r"(?<=\S)[,;]? \.\.\.|(?<=\")[,;] ", comment)[0]
            compared += 1
            wrong += [] if expected in result else [f"{code}: {comment}, got {result[:60]}"]
        for name, shape in SHAPE.findall(comment):
            compared += 1
            actual = np.shape(eval(name, namespace))
            wrong += [] if actual == ast.literal_eval(shape) else [f"{comment}, got {actual}"]
        if expected := comments_below(lines, statement):
            compared += 1
            result = printed.getvalue().splitlines()
            wrong += [] if expected == result else [f"{code}: {expected}, got {result}"]
    return wrong, compared


def test_a_wrong_comment_is_seen():
    namespace = {"np": np}
    block = """
a = np.zeros((2, 3))  # a (2, 4)
a.shape  # the shape
a.T  # a.T (3, 2), a.size ()
{"x": 0.704, "y": 0.01}  # {"x": 0.99, ...}
{"x": 0.704, "y": 0.01}  # {"x": 0.70, ...}; rounded
print("implementation=fused")  # "scan", and why
for i in range(2):
    print(i)
# 0
# 1
print(2)
# 3

# A comment of its own.
print(4)
"""
    wrong, compared = run(block, namespace)
    assert compared == 7
    assert [line.split(":")[0].split(",")[0] for line in wrong] == [
        "a (2",
        "{'x'",
        "print('implementation=fused')",
        "print(2)",
    ]


# The number of comments that a document must have that can be compared; 0 where it is not named.
COMPARED = {
    "README.md": 8,
    "README.zh.md": 4,
    "notebooks/data.md": 1,
    "notebooks/diagnostics.md": 4,
    "notebooks/layers.md": 6,
    "notebooks/poet.md": 6,
}


@pytest.mark.parametrize("name", [name for name, blocks in BLOCKS.items() if blocks])
def test_python_blocks_run_and_their_comments_hold(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(series, "config", replace(series.config, epochs=1))
    namespace, compared = {"frame": sales()}, 0
    for block in BLOCKS[name]:
        wrong, count = run(block, namespace)
        assert wrong == []
        compared += count
    assert compared >= COMPARED.get(name, 0)
    if "coming" in namespace:
        assert namespace["coming"].groupby("store").size().to_dict() == {"Bonn": 24, "Köln": 24}


POEM = re.compile(r"^    lstm-jax (sample [^\n]*--seed[^\n]*)\n\n((?:> [^*\n]*\n)+)", re.MULTILINE)
POEMS = {
    command: re.sub("> |<br>", "", poem)
    for text in TEXTS.values()
    for command, poem in POEM.findall(text)
}


@pytest.mark.parametrize("command", POEMS)
def test_a_shown_poem_is_what_its_command_writes(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(shlex.split(command, comments=True))
    assert ended.value.code == 0
    assert capsys.readouterr().out == POEMS[command]


def test_the_documents_show_what_is_tested():
    assert len(POEMS) >= 3
    assert {name for name, blocks in BLOCKS.items() if blocks} >= set(COMPARED)


def test_generated_sections_are_up_to_date(monkeypatch):
    script = ROOT / "tests" / "benchmarks" / "readme.py"
    monkeypatch.syspath_prepend(script.parent)
    specification = importlib.util.spec_from_file_location("readme", script)
    readme = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(readme)
    assert list(readme.stale()) == [], f"run python {script.relative_to(ROOT)}"
    with pytest.raises(ValueError, match="expected one section 'speed'"):
        readme.renewed("no markers", "speed", "")
