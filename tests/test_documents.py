"""What the documents name is there: commands, files and folders."""

import re
from pathlib import Path

import pytest

from lstm_jax import cli
from lstm_jax.recipes import recipes

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "lstm_jax/pretrained/tang/CARD.md"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_to_be_run_is_a_command(name):
    text = re.sub(r"\s+", " ", (ROOT / name).read_text(encoding="utf-8"))
    called = re.findall(r"(?<![/.])lstm-jax ([\w-]+)(?: ([\w-]+))?", text)
    assert called
    unknown = {command for command, _ in called} - {*cli.COMMANDS, "COMMAND", "--help"}
    assert unknown == set()
    trained = {recipe for command, recipe in called if command == "train" and recipe}
    assert trained <= {*recipes(), "RECIPE"}
    # A module that is run by its name is not found where the package is not installed.
    assert set(re.findall(r"python3? -m (lstm_jax[\w.]*)", text)) <= {"lstm_jax"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_files_hold(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []
