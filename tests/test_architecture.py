"""The direction of imports, read from the sources, and the documentation of public names."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lstm_jax

ROOT = Path(__file__).parent.parent
# Where each folder's modules live once installed.
PACKAGES = {"lstm_jax": "lstm_jax", "train": "lstm_jax.train", "configs": "lstm_jax.configs"}

# Every module, bottom up: each may import only those before it.
ORDER = """
lstm_jax: errors spelling arguments allocator files promotion trees named padding remat cells
lstm_jax: gated initializers unitary conv mogrifier recurrence regularize
lstm_jax.engines: - fused twins cudnn
lstm_jax.engines.native: library rows engine product check compiler - command
lstm_jax.engines: choose
lstm_jax: functional stacks
lstm_jax.diagnostics: graded linear gates adjoints context fixed_points lyapunov flossing krylov
lstm_jax.diagnostics: products jacobians paths health -
lstm_jax.nn: - records held recurrent steps layers
lstm_jax.models: base vocabulary bags losses char_lm sequence_model classifier forecaster
lstm_jax.models: quantization storage parts -
lstm_jax.pretrained: -
lstm_jax.text: lines script verse filters sampling steps units
lstm_jax.text.forms: order tones readings measures plan rules -
lstm_jax.text: play language command -
lstm_jax.interop: parameters arrays checks equinox haiku keras linen safetensors torch cudnn nnx -
lstm_jax.interop.onnx: format file attributes graph node stored chain load layer export models -
lstm_jax.export: - about graph arrays command
lstm_jax: -
lstm_jax.animation: colors document page -
lstm_jax.page: bundle words build serve command -
lstm_jax.plots: drawing forecast multiples judgements memory dynamics portrait gates gradients
lstm_jax.plots: jacobians fonts gif -
lstm_jax.report: poems words figures rows reading streams readers measures question
lstm_jax.report.questions: adjoints jacobians lyapunov roads gates context -
lstm_jax.report: diagnosis steps - pictures folder page command
lstm_jax.train: batch config task look scope runs problem
lstm_jax.train.data: - download scaler tables corpus text audio memory synthetic
lstm_jax.train.data: sentiment series shakespeare speech tang
lstm_jax.train.data.examples: - classes words labeled parts sequences archive recordings hearing
lstm_jax.train.data.panels: - times forms dates clock panel roles spacing even seen sizes load
lstm_jax.train.data.panels: answers phases windows scaling prepare
lstm_jax.train.data.shards: - pieces symbols count store rows prepare
lstm_jax.train.run: - audience lock machine processes orbax checkpoints rescue averaging state
lstm_jax.train.run: devices precision update exponents health heartbeat writers meter
lstm_jax.train.forecasts: - errors baselines distributions scores
lstm_jax.train.tasks: -
lstm_jax.train.tasks.classify: - config examples rows calibration judge task baselines picture
lstm_jax.train.tasks.classify: measures sentiment readers choices source own evaluate held_out
lstm_jax.train.tasks.classify: answers predict run problem
lstm_jax.train.tasks.memory: - config schedule task rest picture evaluate rows problem
lstm_jax.train.tasks.series: - config load outputs roll task look
lstm_jax.train.tasks.sounds: - config augment task speech choices own predict evaluate held_out
lstm_jax.train.tasks.sounds: run problem
lstm_jax.train.tasks.text: - config ngram score sizes task dynamic own saw stream
lstm_jax.train.tasks.text: stream_look look beside evaluate run rows problem
lstm_jax.train.forecasts: verdict picture panels
lstm_jax.train.tasks.series: evaluate forecast run rows problem
lstm_jax.train: problems predict evaluate diagnose sets folder loop fitting spread command doctor
lstm_jax.configs: - adding classify copy flipflop order sensor sentiment series shakespeare sine
lstm_jax.configs: smoke sounds speech stocks tang text weather
lstm_jax.train: fit -
lstm_jax.train.release: - form nearest report export command
lstm_jax: recipes completion cli __main__
"""


def ordered():
    """The modules of ORDER; a dash is the package itself."""
    found = []
    for line in ORDER.strip().splitlines():
        room, modules = line.split(":")
        found += [room if name == "-" else f"{room}.{name}" for name in modules.split()]
    return found


def sources():
    """Dotted name as installed -> path, of the library, training and recipes."""
    found = {}
    for folder, package in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            found[".".join([package, *parts])] = path
    return found


SOURCES = sources()


def imported(tree, name="", is_package=False):
    """Dotted names that a module imports, anywhere in it, `from a import b` as a and a.b."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name.split(".") if is_package else name.split(".")[:-1]
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


IMPORTS = {
    name: imported(ast.parse(path.read_text(encoding="utf-8")), name, path.name == "__init__.py")
    for name, path in SOURCES.items()
}


def modules_of(name):
    """The modules of this project that a module imports.

    `from package import module` imports the module; of any other name, the package.
    """
    found = set()
    for node in ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {full if full in SOURCES else node.module for full in whole.values()}
    return (found & set(SOURCES)) - {name}


def test_imports_are_absolute():
    for path in SOURCES.values():
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        assert not any(isinstance(node, ast.ImportFrom) and node.level for node in nodes), path


def inside(name, package):
    return name == package or name.startswith(package + ".")


def users_of(package):
    return {name for name, found in IMPORTS.items() if any(inside(i, package) for i in found)}


# --- the direction of imports --------------------------------------------------------------------


def test_every_module_has_its_place():
    assert sorted(ordered()) == sorted(SOURCES)
    assert modules_of("lstm_jax.engines.cudnn") == {"lstm_jax.cells", "lstm_jax.recurrence"}


def test_relative_and_plain_imports_are_both_read():
    tree = ast.parse("from .download import fetch\nfrom .. import step\nimport a.b as c")
    assert imported(tree, "lstm_jax.train.data.tang") == {
        "lstm_jax.train.data.download",
        "lstm_jax.train.data.download.fetch",
        "lstm_jax.train",
        "lstm_jax.train.step",
        "a.b",
    }


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_imports_upwards(name):
    known = ordered()
    assert modules_of(name) <= set(known[: known.index(name)])


@pytest.mark.parametrize("name", [n for n in SOURCES if n != "lstm_jax"])
def test_no_module_imports_the_curated_names(name):
    found = {other for other in IMPORTS[name] if re.fullmatch(r"lstm_jax\.\w+", other)}
    assert found <= set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_flax_is_for_what_owns_parameters(name):
    rooms = (
        "lstm_jax.nn",
        "lstm_jax.models",
        "lstm_jax.text",
        "lstm_jax.interop",
        "lstm_jax.train",
    )
    assert name not in users_of("flax") or any(inside(name, room) for room in rooms)


@pytest.mark.parametrize("name", [n for n in SOURCES if inside(n, "lstm_jax.diagnostics")])
def test_diagnostics_take_functions_and_pytrees(name):
    allowed = (
        "lstm_jax.spelling",
        "lstm_jax.trees",
        "lstm_jax.promotion",
        "lstm_jax.cells",
        "lstm_jax.recurrence",
        "lstm_jax.diagnostics",
    )
    assert all(any(inside(other, one) for one in allowed) for other in modules_of(name))
    assert name not in users_of("flax")


def test_optax_is_for_training():
    assert all(inside(name, "lstm_jax.train") for name in users_of("optax"))


def test_orbax_is_for_checkpoints():
    assert users_of("orbax") == {"lstm_jax.train.run.orbax"}


def test_grain_is_for_shards():
    assert users_of("grain") == users_of("array_record") == {"lstm_jax.train.data.shards.store"}


def test_matplotlib_is_for_pictures():
    rooms = ("lstm_jax.plots", "lstm_jax.plots.gif")
    assert all(any(inside(name, room) for room in rooms) for name in users_of("matplotlib"))


def test_ipywidgets_are_for_notebooks():
    assert users_of("ipywidgets") == {"lstm_jax.text.play"}


def test_the_library_does_not_import_training():
    def library(name):
        return not inside(name, "lstm_jax.train") and not inside(name, "lstm_jax.configs")

    assert {n for n in users_of("lstm_jax.train") if library(n)} <= {"lstm_jax.cli"}
    assert {n for n in users_of("lstm_jax.configs") if library(n)} <= {"lstm_jax.cli"}
    assert not {n for n in users_of("lstm_jax.configs") if inside(n, "lstm_jax.train")}
    assert users_of("lstm_jax.cli") == {"lstm_jax.__main__"}


@pytest.mark.parametrize("name", [n for n in SOURCES if n.startswith("lstm_jax.configs.")])
def test_recipes_import_configurations_only(name):
    own = type(importlib.import_module(name).config).__module__
    assert re.fullmatch(r"lstm_jax\.train\.tasks\.\w+\.config", own)
    assert own in modules_of(name)
    others = modules_of(name) - {own, "lstm_jax.train.config"}
    assert {other for other in others if not inside(other, "lstm_jax.models")} == set()
    roots = {other.split(".")[0] for other in IMPORTS[name]}
    assert roots <= {"lstm_jax"} | sys.stdlib_module_names


def test_the_library_imports_its_own_dependencies_only():
    known = {"jax", "jaxlib", "flax", "numpy", "safetensors", "tyro", "rich", "opencc", "lstm_jax"}
    known |= {"matplotlib", "platformdirs", "ipywidgets"} | sys.stdlib_module_names
    training = known | {"optax", "orbax", "pooch", "librosa", "soundfile", "narwhals"}
    training |= {"grain", "array_record", "tensorboardX"}
    exchange = known | {"onnx", "google"}  # whose protobuf has the error of a damaged file
    for name, found in IMPORTS.items():
        allowed = training if inside(name, "lstm_jax.train") else known
        rooms = ("lstm_jax.interop", "lstm_jax.export")
        allowed = exchange if any(inside(name, room) for room in rooms) else allowed
        assert {other.split(".")[0] for other in found} <= allowed, name


def code_of(path):
    """What a file shows as code: of a notebook its code cells, of Markdown all of it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


GLOBAL_IMPORT = re.compile(
    r"^[\s>.]*(?:from\s+(?:train|configs)\b[\w.]*\s+import|import\s+(?:[\w.]+\s*,\s*)*"
    r"(?:train|configs)\b)|\bpython3?\s+-m\s+(?:train|configs)\b",
    re.MULTILINE,
)


def test_no_module_imports_the_folders_by_their_global_names():
    assert GLOBAL_IMPORT.search("x = 1\n>>> from train.data import tang")
    assert GLOBAL_IMPORT.search("    import os, train")
    assert GLOBAL_IMPORT.search("import configs")
    assert GLOBAL_IMPORT.search("python -m train.loop")
    assert not GLOBAL_IMPORT.search("from lstm_jax import train\nimport training, lstm_jax.train")
    assert not GLOBAL_IMPORT.search("from train to test, import it")
    folders = [*PACKAGES, "notebooks", "tests"]
    paths = [p for p in ROOT.iterdir() if p.is_file()]
    paths += [path for folder in folders for path in (ROOT / folder).rglob("*")]
    read = [path for path in paths if path.suffix in {".py", ".md", ".ipynb"}]
    assert len(read) > len(SOURCES)
    guilty = {p.name for p in read if GLOBAL_IMPORT.search(code_of(p))} - {Path(__file__).name}
    assert not guilty
    own = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    assert not {name.split(".")[0] for name in imported(own)} & {"train", "configs"}


# --- what is public ------------------------------------------------------------------------------


ROOMS = [lstm_jax, lstm_jax.models, lstm_jax.text]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_all_is_sorted_and_public(room):
    names = room.__all__
    # As ruff sorts them: constants, classes, functions.
    assert names == sorted(names, key=lambda n: (not n.isupper(), n[0].islower(), n))
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.startswith("_") or not hasattr(room, name)]


@pytest.mark.parametrize(("room", "name"), [(room, n) for room in ROOMS for n in room.__all__])
def test_what_all_names_is_documented(room, name):
    # Without a docstring, NamedTuples and dataclasses have their signature as one.
    text = getattr(room, name).__doc__
    assert text
    assert not text.startswith(f"{name}(")
    assert text.strip().splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("name", SOURCES)
def test_public_modules_functions_and_classes_have_docstrings(name):
    path = SOURCES[name]
    text = path.read_text(encoding="utf-8")
    if path.name == "__init__.py" and not text.strip():
        return  # an empty package file has nothing to explain
    tree = ast.parse(text)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [n for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]
    overloads = [n for n in public if "overload" in map(ast.unparse, n.decorator_list)]
    assert [n.name for n in public if not (ast.get_docstring(n) or n in overloads)] == []
    assert ast.get_docstring(tree)


def test_the_package_is_marked_as_typed():
    assert (Path(lstm_jax.__file__).parent / "py.typed").is_file()


def test_importing_the_package_imports_only_what_it_needs():
    # Flax imports Optax itself; only the imports of lstm_jax count.
    program = (
        "import sys, jax, flax.nnx; before = set(sys.modules); import lstm_jax; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    brought = set(done.stdout.split())
    assert "lstm_jax" in brought
    assert not brought & {"matplotlib", "orbax", "optax", "tyro", "pooch", "opencc", "rich"}
    program = "import sys, lstm_jax; print('matplotlib' in sys.modules, 'orbax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr
