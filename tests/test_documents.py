"""The documents name things that exist: commands, recipes, options, files, headings, versions."""

import ast
import re
import shlex
import tomllib
from functools import cache, partial
from pathlib import Path

import pytest

import lstm_jax
from lstm_jax import cli
from lstm_jax.arguments import flags_in, help_of
from lstm_jax.recipes import recipes

ROOT = Path(__file__).parents[1]
PATHS = [*ROOT.glob("*.md"), *(ROOT / "notebooks").glob("*.md")]
PATHS += (ROOT / "lstm_jax/pretrained").glob("*/CARD.md")
DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Homepage"]
RAW = ADDRESS.replace("github.com", "raw.githubusercontent.com")
RUN = re.compile(r"(?<![/.])lstm-jax ([\w-]+)(?: ([\w-]+))?")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_recipes_exist(name):
    text = re.sub(r"\s+", " ", DOCUMENTS[name])
    called = RUN.findall(text)
    unknown = {command for command, _ in called} - {*cli.COMMANDS, "COMMAND", "--help"}
    assert unknown == set()
    trained = {recipe for command, recipe in called if command == "train" and recipe[:1].islower()}
    assert trained <= {*recipes()}
    # A module that is run by its name is not found where the package is not installed.
    assert set(re.findall(r"python3? -m (lstm_jax[\w.]*)", text)) <= {"lstm_jax"}


def test_commands_are_found_at_all():
    assert sum(len(RUN.findall(text)) for text in DOCUMENTS.values()) > 80


LINES = [
    shlex.split(line, comments=True)
    for text in DOCUMENTS.values()
    for line in re.findall(r"^    lstm-jax ([^\n]+)$", text, re.MULTILINE)
]


@cache
def options_of(command):
    """Read the options of a command, such as ("train", "tang"), from its help."""
    return set(flags_in(help_of(partial(cli._dispatch, [*command, "--help"]))))


OF_A_MODEL = ("forecast", "predict")  # their help depends on the model


@pytest.mark.parametrize("command", [name for name in cli.COMMANDS if name not in OF_A_MODEL])
def test_options_exist(command):
    for words in LINES:
        flags = {word for word in words if word.startswith("--")}
        if words[0] == command and flags:
            place = words[: 2 if command in ("train", "release") else 1]
            assert flags <= options_of(tuple(place)), words


def slugs(text):
    """Return the anchors of a document's headings, as Markdown renderers make them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def links_in(text):
    """Return the targets of a document's links and images."""
    inline = re.findall(r"\]\(([^)\s]+)\)", text)
    return inline + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    folder = (ROOT / name).parent
    for link in links_in(DOCUMENTS[name]):
        target, _, anchor = link.partition("#")
        if inside := re.match(rf"(?:{ADDRESS}/(?:blob|tree)|{RAW})/main/(.+)", target):
            path = ROOT / inside[1]
        elif target.startswith(("http:", "https:", "reference/")):
            continue  # the reference is generated with the site, and checked by mkdocs --strict
        else:
            path = folder / target if target else ROOT / name
        assert path.exists(), link
        if anchor and path.suffix == ".md":
            assert anchor in slugs(path.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_a_package_index_can_follow_every_link(name):
    assert [link for link in links_in(DOCUMENTS[name]) if not link.startswith("https://")] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_references_are_defined_and_used(name):
    text = re.sub(r"```.*?```", "", DOCUMENTS[name], flags=re.DOTALL)
    defined = set(re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE))
    used = set(re.findall(r"\]\[([^\]]+)\]", text)) | set(re.findall(r"\[(\w+)\](?![\[(:])", text))
    assert defined <= used
    assert set(re.findall(r"\]\[([^\]]+)\]", text)) <= defined


def test_the_version_is_said_once():
    assert "version" not in PROJECT
    assert "version" in PROJECT["dynamic"]
    source = ast.parse((ROOT / "lstm_jax" / "__init__.py").read_text(encoding="utf-8"))
    values = [n.value for n in source.body if ast.unparse(n).startswith("__version__ =")]
    assert [ast.literal_eval(value) for value in values] == [lstm_jax.__version__]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {lstm_jax.__version__}\n" in citation
    assert lstm_jax.__version__ in DOCUMENTS["CHANGELOG.md"]
    assert f"\nrepository-code: {ADDRESS}\n" in citation


def test_the_readme_names_every_extra_that_a_command_needs():
    for about in recipes().values():
        assert not about.extra or f"`{about.extra}`" in DOCUMENTS["README.md"]
    installed = re.findall(r'pip install (?:-e )?"?\.?(?:lstm_jax)?\[([\w,]+)\]', str(DOCUMENTS))
    wanted = {extra for extras in installed for extra in extras.split(",")} - {"NAME"}
    assert wanted <= set(PROJECT["optional-dependencies"])
    assert wanted >= {"verse", "viz", "speech", "datasets", "scale", "test"}


def test_what_the_gate_types_is_in_the_readme():
    block = DOCUMENTS["README.md"].split("## Develop\n\n")[1].split("\n\n")[0].splitlines()
    assert all(line.startswith("    ") for line in block)
    assert block[0].strip() == 'pip install -e ".[test]"'
    assert block[-1].strip().startswith("pytest ")
