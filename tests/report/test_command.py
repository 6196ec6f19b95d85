"""`lstm-jax diagnose`: what it reads, where it writes, and mistakes."""

import io
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from flax import nnx
from rich.console import Console

from lstm_jax.models import storage
from lstm_jax.models.char_lm import CharLM, CharLMConfig
from lstm_jax.models.storage import ModelError
from lstm_jax.models.vocabulary import Vocabulary
from lstm_jax.report import command
from lstm_jax.report.command import DiagnoseOptions
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.readers import of_texts
from lstm_jax.report.reading import QUICK, ReportError, Settings
from lstm_jax.text.language import LanguageModel
from lstm_jax.text.lines import TextFileError

QUIET = Console(file=io.StringIO())

pytestmark = pytest.mark.usefixtures("compile_fast")


def test_texts_come_from_a_file(prose, tmp_path, monkeypatch):
    path = tmp_path / "texts.txt"
    path.write_text("\ufeffabcdefgh\n\n  gfedcbaabc  \n", encoding="utf-8")
    written = []
    monkeypatch.setattr(command, "QUESTIONS", ())
    monkeypatch.setattr(command, "write_report", lambda *given, **options: written.append(given))
    console = Console(file=io.StringIO(), width=80)
    options = DiagnoseOptions(str(prose), file=path, out=tmp_path / "out", steps=12)
    found = command.run(options, console)
    assert found.source == "The lines of texts.txt."
    [row] = found.reading.streams.symbols
    assert "".join(symbol or "|" for symbol in row) == "abcdefgh|gfe"
    assert written == [(found, tmp_path / "out")]
    assert "s  reading the texts" in console.file.getvalue()


def test_a_model_of_words_is_read_by_words(tmp_path, monkeypatch):
    words = ("the", " cat", " sat", " on", " a", " mat")
    vocabulary = Vocabulary(words)
    network = CharLM(len(vocabulary), CharLMConfig(4, 5, 1), rngs=nnx.Rngs(0))
    LanguageModel(network, vocabulary, {"data": "own"}, "word").save(tmp_path / "run")
    path = tmp_path / "texts.txt"
    path.write_text("the cat sat on a mat\n" * 9, encoding="utf-8")
    monkeypatch.setattr(command, "QUESTIONS", ())
    monkeypatch.setattr(command, "write_report", lambda *given, **options: None)
    found = command.run(DiagnoseOptions(str(tmp_path / "run"), file=path, steps=9), QUIET)
    [row] = found.reading.streams.symbols[:1]
    assert row == [*words, "", "the", " cat"]
    assert found.reading.streams.targets[0].tolist() == [2, 3, 4, 5, 6, 7, 0, 2, 3]


def test_connections_are_refused(prose):
    stored = storage.load(prose)
    config = CharLMConfig(4, 5, 2, connections="residual")
    network = CharLM(len(stored.network.embedding), config, rngs=nnx.Rngs(0))
    with pytest.raises(ReportError, match="cannot be diagnosed: its layers have connections"):
        of_texts(network, None)


def test_simplified_characters_are_read_as_traditional(poet, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("远游\n", encoding="utf-8")
    options = DiagnoseOptions(str(poet), file=path)
    found = command._data(options, storage.load(poet), options.settings, None)
    assert found.texts == ("遠遊",)


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"\xff\xfe\x00", "is not UTF-8 text"), (b" \n\n", "holds no text")],
)
def test_a_file_that_cannot_be_read_is_refused(content, said, prose, tmp_path):
    path = tmp_path / "texts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TextFileError, match=said):
        command.run(DiagnoseOptions(str(prose), file=path, out=tmp_path / "out"), QUIET)
    assert not (tmp_path / "out").exists()


def test_a_model_of_something_else_needs_texts(prose, tmp_path):
    with pytest.raises(ReportError, match="give some with --file"):
        command.run(DiagnoseOptions(str(prose), out=tmp_path / "out"), QUIET)
    with pytest.raises(ModelError, match="no model 'opera'"):
        command.run(DiagnoseOptions("opera", out=tmp_path / "out"), QUIET)


def test_without_matplotlib_the_error_says_what_to_install(poet, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    rooms = [name for name in sys.modules if name.startswith("lstm_jax.plots.")]
    for name in ("lstm_jax.plots.gif", *rooms, "lstm_jax.plots", "lstm_jax.report.pictures"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("plots", "report.pictures"):
        monkeypatch.delattr(f"lstm_jax.{name}", raising=False)
    with pytest.raises(ReportError, match=r'pip install "lstm_jax\[viz\]"') as error:
        command.run(DiagnoseOptions(str(poet), out=tmp_path / "out"), QUIET)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_options_name_the_folder_and_the_settings():
    assert DiagnoseOptions().folder == Path("diagnosis/tang")
    assert DiagnoseOptions("runs/wide/").folder == Path("diagnosis/wide")
    assert DiagnoseOptions(out=Path("x")).folder == Path("x")
    assert DiagnoseOptions().settings == Settings()
    assert DiagnoseOptions(quick=True, seed=3).settings == replace(QUICK, seed=3)
    long = DiagnoseOptions(steps=1200).settings
    assert (long.steps, long.lags, long.burn_in) == (1200, 128, 200)
    assert DiagnoseOptions(steps=120).settings == Settings()


def test_the_templates_are_package_data():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    assert "report.html" in data["lstm_jax.report"]
    assert {"head.html", "page.html"} <= set(data["lstm_jax.animation"])


@pytest.mark.corpus
def test_the_poems_are_held_out():
    from lstm_jax.train.data import tang

    corpus = tang.load()
    assert set(HELD_OUT) <= set(corpus.test)
