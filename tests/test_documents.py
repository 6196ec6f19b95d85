"""What the documents name is there: modules to run, files and folders."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "lstm_jax/pretrained/tang/CARD.md"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_modules_that_are_to_be_run_exist(name):
    text = re.sub(r"\s+", " ", (ROOT / name).read_text(encoding="utf-8"))
    modules = re.findall(r"python -m ([\w.]+\w)", text)
    assert modules
    assert [m for m in modules if m != "..." and importlib.util.find_spec(m) is None] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_files_hold(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []
