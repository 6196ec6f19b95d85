"""A layout is one file and a line of the package's `__init__`, and nothing else."""

import ast
from pathlib import Path

import lstm_jax.interop

FOLDER = Path(lstm_jax.interop.__file__).parent
SHARED = {"__init__", "arrays", "checks", "parameters"}
LAYOUTS = {"cudnn", "equinox", "haiku", "keras", "linen", "nnx", "safetensors", "torch"}
# Layouts that reuse another layout with other names.
BUILT_ON = {"cudnn": {"torch"}, "nnx": {"linen"}}


def imported(module):
    """The names of the interop modules that one of them imports."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    prefix = "lstm_jax.interop."
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def test_every_layout_has_a_file():
    assert {path.stem for path in FOLDER.glob("*.py")} == SHARED | LAYOUTS


def test_the_package_exports_both_directions_of_each_layout():
    assert imported("__init__") == LAYOUTS
    pairs = {(f"from_{name}", f"to_{name}") for name in LAYOUTS - {"safetensors"}}
    pairs |= {("load_safetensors", "save_safetensors")}
    names = {name for pair in pairs for name in pair}
    assert set(lstm_jax.interop.__all__) == names | {"Directions"}


def test_shared_modules_import_no_layout():
    for module in SHARED - {"__init__"}:
        assert imported(module) <= SHARED
    for module in LAYOUTS:
        assert imported(module) - SHARED == BUILT_ON.get(module, set())
