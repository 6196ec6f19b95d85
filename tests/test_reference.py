"""The reference has an entry for every public name, and the site's pages exist."""

import importlib.util
import inspect
import re
import sys
from pathlib import Path

import pytest

import lstm_jax
from lstm_jax.nn.layers import LSTMOptions

FOLDER = Path(__file__).parent.parent / "notebooks"


def module():
    spec = importlib.util.spec_from_file_location("reference", FOLDER / "site" / "reference.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = made
    spec.loader.exec_module(made)
    return made


REFERENCE = module()
PAGES = REFERENCE.pages()
ENTRIES = re.findall(r"^::: (\S+)$", "\n".join(PAGES.values()), re.M)
LINKS = re.findall(r"\[`\w+`\]\[([\w.]+)\]", "\n".join(PAGES.values()))
# Modules that users import by name; what they have besides is for the package's own use.
MODULES = """
lstm_jax lstm_jax.animation lstm_jax.diagnostics lstm_jax.engines.native lstm_jax.interop
lstm_jax.interop.onnx lstm_jax.models lstm_jax.plots lstm_jax.report lstm_jax.text
lstm_jax.text.forms lstm_jax.train.fit
""".split()


def test_every_public_name_of_the_package_has_one_entry():
    entries = [entry for entry in ENTRIES if entry.count(".") == 1]
    assert sorted(entries) == sorted(f"lstm_jax.{name}" for name in lstm_jax.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_of_a_module_is_in_the_reference(name):
    own, shared = REFERENCE.public_names(name), REFERENCE.public_names("lstm_jax")
    assert own
    for public, origin in own.items():
        twin = next((f"lstm_jax.{each}" for each, at in shared.items() if at == origin), None)
        assert f"{name}.{public}" in ENTRIES or twin in LINKS


def test_entries_are_names_that_exist():
    assert len(set(ENTRIES)) == len(ENTRIES)
    for entry in ENTRIES:
        room, _, name = entry.rpartition(".")
        assert hasattr(importlib.import_module(room), name), entry


@pytest.mark.parametrize("name", REFERENCE.INITS)
def test_every_option_of_a_layer_is_described(name):
    layer = getattr(lstm_jax, name)
    own = REFERENCE.described(layer.__init__)
    options = {option: text for option, _, text in REFERENCE.options(layer)}
    page = PAGES["reference/layers.md"]
    for option in {*inspect.signature(layer.__init__).parameters} - {"self", "options"}:
        assert own[option]
    for option, text in options.items():
        assert text
        assert f"| `{option}` |" in page[page.index(f"Options of `{name}`") :]


def test_the_options_of_the_lstm_are_those_of_its_type():
    assert {option for option, _, _ in REFERENCE.options(lstm_jax.LSTM)} == set(
        LSTMOptions.__annotations__
    )


def test_the_navigation_names_pages_that_exist():
    text = (FOLDER / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    named = set(re.findall(r"[\w/]+\.(?:md|ipynb)", text))
    assert named >= {f"{path.stem}.ipynb" for path in FOLDER.glob("*.py")} | set(PAGES)
    assert named >= {path.name for path in FOLDER.glob("*.md")}
    for path in named - set(PAGES):
        assert (FOLDER / path).is_file(), path
